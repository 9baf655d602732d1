"""The image towers of open_clip are backbones that say what open_clip's own towers say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

from mmlmseg.errors import CheckpointError, OptionError
from mmlmseg.models.backbones import CLIPResNet, OpenClipVision

TOWERS: dict[str, dict[str, Any]] = {
    'tower-16': dict(image_size=64, layers=3, width=32, head_width=16, patch_size=16),
    'tower-14': dict(image_size=56, layers=3, width=32, head_width=16, patch_size=14),
    'tower-coca': dict(
        image_size=64, layers=3, width=32, head_width=16, patch_size=16, attentional_pool=True, attn_pooler_heads=2
    ),
    'tower-convnext': dict(timm_model_name='test_convnext', timm_pool='', timm_proj='linear', image_size=64),
    'tower-siglip': dict(timm_model_name='test_vit', timm_pool='map', timm_proj='none', image_size=160),
}


@pytest.fixture(scope='module', autouse=True)
def towers(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp('open_clip')
    for name, vision in TOWERS.items():
        text = dict(context_length=8, vocab_size=64, width=16, heads=2, layers=1)
        config = dict(embed_dim=64, quick_gelu=name == 'tower-14', vision_cfg=vision, text_cfg=text)
        (folder / f'{name}.json').write_text(json.dumps(config))
    open_clip.add_model_config(folder)


@pytest.mark.parametrize('name', TOWERS)
def test_says_what_open_clip_says(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = open_clip.create_model(name).eval()
    torch.save(theirs.state_dict(), tmp_path / 'clip.pt')
    backbone = OpenClipVision(name, pretrained=str(tmp_path / 'clip.pt')).eval()
    backbone.init_weights()
    image = torch.randn(1, 3, *theirs.visual.image_size)
    own = backbone(image)
    said = theirs.visual.forward_intermediates(
        image,
        indices=list(backbone.stages.indices),
        normalize_intermediates=backbone.stages.is_plain and name != 'tower-coca',
    )['image_intermediates']
    assert len(own) == len(said) == len(backbone.out_channels)
    for map, other, width, stride in zip(own, said, backbone.out_channels, backbone.strides):
        torch.testing.assert_close(map, other, rtol=1e-5, atol=1e-5)
        assert tuple(map.shape) == (1, width, *(side // stride for side in image.shape[-2:]))


@pytest.mark.parametrize('name', TOWERS)
def test_takes_images_of_any_size_and_learns_as_a_whole(name: str) -> None:
    backbone = OpenClipVision(name).train()
    height, width = 3 * backbone.size_divisor, 5 * backbone.size_divisor
    maps = backbone(torch.randn(2, 3, height, width))
    assert [tuple(own.shape[-2:]) for own in maps] == [(height // s, width // s) for s in backbone.strides]
    sum(own.square().mean() for own in maps).backward()
    assert [key for key, own in backbone.named_parameters() if own.grad is None] == []
    other = OpenClipVision(name)
    other.load_state_dict(backbone.state_dict())
    image = torch.randn(1, 3, height, width)
    assert torch.equal(other.eval()(image)[-1], backbone.eval()(image)[-1])
    with torch.autocast('cpu', torch.bfloat16):
        assert (backbone(image)[-1] - other(image)[-1]).norm() < 0.1 * other(image)[-1].norm()


def test_blocks_are_chosen() -> None:
    backbone = OpenClipVision('tower-14', out_indices=(0, 1))
    assert len(backbone.model.transformer.resblocks) == 2
    assert [tuple(own.shape) for own in backbone(torch.randn(1, 3, 28, 56))] == [(1, 32, 2, 4)] * 2
    with pytest.raises(OptionError, match='tower-14 has 3 blocks'):
        OpenClipVision('tower-14', out_indices=(3,))


@pytest.mark.parametrize(
    'make', [lambda: OpenClipVision('tower-convnext', frozen=True), lambda: CLIPResNet(frozen=True)]
)
def test_frozen_it_wants_no_gradient(make: Any) -> None:
    backbone = make().train()
    assert not any(module.training for module in backbone.modules())
    assert not any(own.requires_grad for own in (*backbone(torch.randn(1, 3, 64, 64)), *backbone.parameters()))


def test_a_resnet_and_a_file_of_another_tower_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match='CLIPResNet'):
        OpenClipVision('RN50-quickgelu')
    torch.save(open_clip.create_model('tower-convnext').state_dict(), tmp_path / 'clip.pt')
    with pytest.raises(CheckpointError, match=r'clip\.pt'):
        OpenClipVision('tower-16', pretrained=str(tmp_path / 'clip.pt')).init_weights()
