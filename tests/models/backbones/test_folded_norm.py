"""Fixed norms are folded into convolutions: equal maps and gradients, and only where they are fixed."""

from __future__ import annotations

import copy

import pytest
import torch
from mmseg.models.backbones import ResNet
from torch import Tensor, nn

from mmlmseg.models.backbones import CLIPResNet
from mmlmseg.models.backbones.folded_norm import fold_fixed_norms


def resnet(depth: int = 18, requires_grad: bool = False, norm_eval: bool = True) -> nn.Module:
    torch.manual_seed(0)
    norm = dict(type='BN', requires_grad=requires_grad)
    backbone = ResNet(depth, base_channels=16, norm_cfg=norm, norm_eval=norm_eval)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                nn.init.uniform_(value, 0.5, 1.5)
            for value in (module.bias, module.running_mean):
                nn.init.normal_(value)
    backbone.train()
    return backbone


def learn(backbone: nn.Module, images: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
    maps = backbone(images)
    sum(own.square().mean() for own in maps).backward()
    return list(maps), {name: p.grad for name, p in backbone.named_parameters() if p.grad is not None}


@pytest.mark.parametrize('depth', [18, 50])
def test_maps_and_gradients_stay(depth: int) -> None:
    stock = resnet(depth).double()
    folded = copy.deepcopy(stock).float()
    assert fold_fixed_norms(folded) == sum(isinstance(module, nn.BatchNorm2d) for module in stock.modules())
    folded.double()
    assert list(stock.state_dict()) == list(folded.state_dict())
    images = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    wanted, gradients = learn(stock, images)
    got, own = learn(folded, images)
    torch.testing.assert_close(got, wanted)
    assert own.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(own[name], gradient, msg=name)


def test_copies_have_norms_of_their_own() -> None:
    first = resnet()
    fold_fixed_norms(first)
    second = copy.deepcopy(first)
    images = torch.randn(1, 3, 64, 64)
    before = first(images)[0]
    with torch.no_grad():
        second.bn1.bias.fill_(7)
    assert first(images)[0].equal(before)
    assert not second(images)[0].equal(before)


def test_norms_that_learn_are_left_alone_in_training_and_folded_in_evaluation() -> None:
    stock = resnet(requires_grad=True, norm_eval=False)
    folded = copy.deepcopy(stock)
    fold_fixed_norms(folded)
    images = torch.randn(2, 3, 64, 64)
    wanted, gradients = learn(stock, images)
    got, own = learn(folded, images)
    assert all(a.equal(b) for a, b in zip(got, wanted, strict=True))
    assert 'bn1.weight' in own
    assert all(own[name].equal(gradient) for name, gradient in gradients.items())
    assert folded.bn1.running_mean.equal(stock.bn1.running_mean)
    folded.eval()
    stock.eval()
    with torch.no_grad():
        torch.testing.assert_close(folded(images), stock(images), rtol=1e-4, atol=1e-4)
        assert folded.bn1(images.new_full((1, 16, 2, 2), 3.0)).unique().tolist() == [3]  # nothing left to do


def test_the_resnet_of_clip_is_folded() -> None:
    assert fold_fixed_norms(CLIPResNet()) == 55


class PreActivation(nn.Module):
    """Its norm comes after the convolution among its children, and before it in its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.norm.running_mean.fill_(2)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(self.norm(images).relu())


def test_norms_in_another_place_are_not() -> None:
    backbone = PreActivation()
    images = torch.randn(1, 3, 8, 8)
    wanted = backbone.eval()(images)
    assert fold_fixed_norms(backbone) == 0
    assert backbone(images).equal(wanted)
    assert (type(backbone.conv), type(backbone.norm)) == (nn.Conv2d, nn.BatchNorm2d)


def test_a_backbone_without_norms_is_not_called() -> None:
    assert fold_fixed_norms(nn.Conv2d(7, 3, 1)) == 0
