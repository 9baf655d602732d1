from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mmlmseg.errors import CheckpointError
from mmlmseg.models.backbones import CLIPResNet
from mmlmseg.models.open_clip_loader import load_open_clip
from mmlmseg.registry import MODELS


@pytest.fixture
def backbone(tiny_clip: str) -> CLIPResNet:
    return MODELS.build(dict(type='mmlmseg.CLIPResNet', model=tiny_clip))


def test_four_maps_at_four_strides(backbone: CLIPResNet) -> None:
    maps = backbone(torch.randn(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [(2, 32, 16, 24), (2, 64, 8, 12), (2, 128, 4, 6), (2, 256, 2, 3)]
    assert backbone.out_channels == (32, 64, 128, 256)


def test_equals_the_image_tower_of_open_clip(tiny_clip: str, tmp_path: Path) -> None:
    clip = load_open_clip(tiny_clip, None)
    with torch.no_grad():
        for name, tensor in clip.visual.state_dict().items():
            if 'bn' in name and tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)
    torch.save(clip.state_dict(), tmp_path / 'clip.pt')
    backbone = CLIPResNet(tiny_clip, str(tmp_path / 'clip.pt'))
    backbone.init_weights()
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(clip.visual.attnpool(backbone(images)[-1]), clip.encode_image(images))


def test_norm_layers_never_change(backbone: CLIPResNet) -> None:
    before = {name: tensor.clone() for name, tensor in backbone.named_buffers()}
    assert not any('bn' in name for name, _ in backbone.named_parameters())
    backbone.train()
    together = backbone(torch.randn(3, 3, 32, 32))[-1]
    together.sum().backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.named_buffers())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in backbone.parameters())


def test_random_features_keep_their_size() -> None:
    for features in CLIPResNet()(torch.randn(1, 3, 64, 64)):
        assert 0.1 < features.std() < 10


def test_a_checkpoint_needs_no_weight_file(tiny_clip: str) -> None:
    backbone = CLIPResNet(tiny_clip, 'absent/clip.pt')
    backbone.load_state_dict(CLIPResNet(tiny_clip).state_dict())
    with pytest.raises(CheckpointError, match=r'absent/clip\.pt: no such weight file'):
        backbone.init_weights()


def test_starts_from_the_backbone_of_a_checkpoint(tiny_clip: str, tmp_path: Path) -> None:
    trained = CLIPResNet(tiny_clip)
    file = str(tmp_path / 'model.pth')
    state = {f'backbone.{name}': tensor for name, tensor in trained.state_dict().items()}
    torch.save(dict(state_dict={**state, 'decode_head.weight': torch.zeros(1)}), file)
    init = dict(type='Pretrained', checkpoint=file, prefix='backbone.')
    backbone = MODELS.build(
        dict(type='mmlmseg.CLIPResNet', model=tiny_clip, pretrained='absent/clip.pt', init_cfg=init)
    )
    assert not torch.equal(backbone.visual.conv1.weight, trained.visual.conv1.weight)
    backbone.init_weights()
    assert all(torch.equal(tensor, trained.state_dict()[name]) for name, tensor in backbone.state_dict().items())


def test_a_transformer_is_no_resnet() -> None:
    with pytest.raises(CheckpointError, match="image tower of open_clip model 'ViT-B-32' is no ResNet"):
        CLIPResNet('ViT-B-32')
