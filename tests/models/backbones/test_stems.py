"""Stems: other bands, the same backbone."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmlmseg.models.backbones.folded_norm import fold_fixed_norms
from mmlmseg.models.backbones.stems import StemOptions, Stems, adapted, first_convolutions

RESNET = dict(type='mmseg.ResNet', depth=18, norm_eval=True, norm_cfg=dict(type='BN', requires_grad=False))
TIMM_VIT = dict(embed_dim=16, depth=1, num_heads=2)
BACKBONES: dict[str, tuple[dict[str, Any], str]] = {
    'resnet': (RESNET, 'conv1'),
    'deep stem': (dict(type='mmseg.ResNetV1c', depth=18), 'stem.0'),
    'clip': (dict(type='mmlmseg.CLIPResNet', model='tiny-quickgelu'), 'visual.conv1'),
    'swin': (
        dict(type='mmseg.SwinTransformer', embed_dims=12, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 2)),
        'patch_embed.projection',
    ),
    'vit': (
        dict(type='mmseg.VisionTransformer', embed_dims=12, num_layers=1, num_heads=2, img_size=64),
        'patch_embed.projection',
    ),
    'timm patch 16': (
        dict(type='mmlmseg.TimmBackbone', model='vit_small_patch16_dinov3', options=TIMM_VIT),
        'model.patch_embed.proj',
    ),
    'timm patch 14': (
        dict(type='mmlmseg.TimmBackbone', model='vit_small_patch14_dinov2', options=TIMM_VIT, frozen=True),
        'model.patch_embed.proj',
    ),
    'timm swin': (
        dict(
            type='mmlmseg.TimmBackbone',
            model='swin_tiny_patch4_window7_224',
            options=dict(embed_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1)),
        ),
        'model.patch_embed.proj',
    ),
    'timm convnext': (
        dict(
            type='mmlmseg.TimmBackbone',
            model='convnext_tiny',
            options=dict(dims=(8, 8, 8, 8), depths=(1, 1, 1, 1)),
        ),
        'model.stem.0',
    ),
    'open_clip vit': (dict(type='mmlmseg.OpenClipVision', model='ViT-S-32-alt', frozen=True), 'model.conv1'),
    'mit': (dict(type='mmseg.MixVisionTransformer', embed_dims=8, num_layers=[1] * 4), 'layers.0.0.projection'),
}


def build(config: dict[str, Any]) -> nn.Module:
    with DefaultScope.overwrite_default_scope('mmseg'):
        backbone = MODELS.build(config)
    fold_fixed_norms(backbone)
    backbone.eval()  # which returns nothing in mmseg
    return backbone


def maps(backbone: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        return list(backbone(images))


@pytest.mark.parametrize('adapt', ['repeat', 'average'])
@pytest.mark.parametrize('bands', [1, 2, 3, 4, 5, 6, 13, 32])
@pytest.mark.parametrize('before', [1, 3, 4])
def test_a_grey_image_is_answered_as_before(adapt: Any, bands: int, before: int) -> None:
    weight, grey = torch.randn(8, before, 3, 3), torch.randn(1, 1, 9, 9)
    other = adapted(weight, bands, adapt)
    answers = [nn.functional.conv2d(grey.expand(-1, w.shape[1], -1, -1), w) for w in (weight, other)]
    torch.testing.assert_close(*answers, rtol=1e-5, atol=1e-5)
    assert other.shape == (8, bands, 3, 3)


def test_green_and_blue_stay_beside_a_fourth_band() -> None:
    weight = torch.randn(8, 3, 3, 3)
    repeated = adapted(weight, 4)
    assert repeated[:, 1:3].equal(weight[:, 1:3])
    assert repeated[:, 0].equal(weight[:, 0] / 2)
    assert repeated[:, 3].equal(weight[:, 0] / 2)


@pytest.mark.usefixtures('tiny_clip')
@pytest.mark.parametrize('kind', BACKBONES)
def test_any_backbone_takes_other_bands(kind: str) -> None:
    config, place = BACKBONES[kind]
    backbone = build(config)
    assert list(first_convolutions(backbone)) == [place]
    image, grey = torch.randn(1, 3, 224, 224), torch.randn(1, 1, 224, 224)
    before = maps(backbone, image), maps(backbone, grey.expand(-1, 3, -1, -1))
    Stems(backbone, StemOptions([3, 4, 7]))
    after = maps(backbone, image), maps(backbone, grey.expand(-1, 4, -1, -1))
    for own, now in zip(before[0], after[0], strict=True):
        assert own.equal(now)
    for own, now in zip(before[1], after[1], strict=True):
        torch.testing.assert_close(own, now, rtol=1e-3, atol=1e-3)
    assert {name for name, _ in backbone.named_parameters() if 'weight_' in name} == {
        f'{place}.weight_4',
        f'{place}.weight_7',
    }


@pytest.mark.usefixtures('tiny_clip')
@pytest.mark.parametrize('kind', ['resnet', 'clip', 'swin'])
def test_weights_of_another_number_of_bands_are_adapted_as_they_are_loaded(kind: str) -> None:
    config, place = BACKBONES[kind]
    pretrained = build(config).state_dict()
    both, four = build(config), build(config)
    Stems(both, StemOptions([3, 4]))
    Stems(four, StemOptions([4]))
    both.load_state_dict(pretrained)
    four.load_state_dict(pretrained)
    weight = pretrained[f'{place}.weight']
    assert both.state_dict()[f'{place}.weight'].equal(weight)
    assert both.state_dict()[f'{place}.weight_4'].equal(adapted(weight, 4))
    assert four.state_dict()[f'{place}.weight'].equal(adapted(weight, 4))
    trained = copy.deepcopy(four.state_dict())
    trained[f'{place}.weight'] += 1
    both.load_state_dict(trained)  # what is there is taken as it is
    assert both.state_dict()[f'{place}.weight_4'].equal(trained[f'{place}.weight'])


def test_idle_stems_get_a_gradient_of_zero() -> None:
    backbone = build(RESNET)
    Stems(backbone, StemOptions([3, 4]))
    backbone(torch.randn(1, 4, 32, 32))[-1].sum().backward()
    conv = backbone.get_submodule('conv1')
    assert conv.weight_4.grad.any()
    assert not conv.weight.grad.any()


def test_frozen_stages_freeze_the_stems() -> None:
    backbone = build(dict(RESNET, frozen_stages=1))
    Stems(backbone, StemOptions([3, 4]))
    assert not backbone.get_submodule('conv1').weight_4.requires_grad
    backbone.train()
    assert not backbone.get_submodule('conv1').weight_4.requires_grad


def test_a_backbone_of_as_many_bands_stays_as_it_is() -> None:
    backbone = build(dict(RESNET, in_channels=4))
    names = list(backbone.state_dict())
    assert not Stems(backbone, StemOptions([4])).is_needed
    assert list(backbone.state_dict()) == names


def test_copies_have_stems_of_their_own() -> None:
    backbone = nn.Sequential(nn.Conv2d(3, 2, 1))
    stems = Stems(backbone, StemOptions([3, 4]))
    other, _ = copy.deepcopy((backbone, stems))
    weights = {'0.weight': torch.ones(2, 3, 1, 1), '0.bias': torch.zeros(2)}
    pickle.loads(pickle.dumps(other)).load_state_dict(weights)
    other.load_state_dict(weights)
    assert other[0].weight_4.sum() == backbone[0].weight.new_tensor(6)
    assert not backbone[0].weight_4.equal(other[0].weight_4)
