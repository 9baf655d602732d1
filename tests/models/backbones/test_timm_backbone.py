"""Any timm model is a backbone: maps, sizes, weights, gradients, and a training step below the head."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from mmengine.optim import build_optim_wrapper
from safetensors.torch import save_file
from torch import nn

from mmlmseg.errors import CheckpointError, OptionError
from mmlmseg.models.backbones.stems import adapted
from mmlmseg.models.backbones.timm_backbone import TimmBackbone
from mmlmseg.registry import MODELS

TINY_VIT = dict(embed_dim=32, depth=3, num_heads=2)
PLAIN = dict(
    vit_small_patch16_dinov3=16,
    vit_small_patch14_dinov2=14,
    vit_small_patch14_reg4_dinov2=14,
    vit_base_patch16_siglip_224=16,
    vit_base_patch16_clip_quickgelu_224=16,
    eva02_tiny_patch14_224=14,
)
HIERARCHICAL: dict[str, dict[str, Any]] = dict(
    swin_tiny_patch4_window7_224=dict(embed_dim=16, depths=(1, 1, 2, 1), num_heads=(1, 1, 2, 2)),
    swinv2_tiny_window8_256=dict(embed_dim=16, depths=(1, 1, 2, 1), num_heads=(1, 1, 2, 2)),
    convnext_tiny=dict(dims=(8, 16, 24, 32), depths=(1, 1, 2, 1)),
    resnet18={},
)


def tiny(name: str, **options: Any) -> TimmBackbone:
    return TimmBackbone(name, options=HIERARCHICAL.get(name, TINY_VIT), **options)


@pytest.mark.parametrize('name', PLAIN)
def test_a_plain_transformer_gives_maps_of_its_patches(name: str) -> None:
    patch = PLAIN[name]
    backbone = tiny(name, out_indices=(0, -1))
    assert (backbone.size_divisor, backbone.strides, backbone.out_channels) == (patch, (patch, patch), (32, 32))
    maps = backbone(torch.randn(2, 3, 3 * patch, 5 * patch))  # neither the size nor the shape that it was made for
    assert [tuple(own.shape) for own in maps] == [(2, 32, 3, 5)] * 2
    sum(own.square().mean() for own in maps).backward()
    assert [key for key, own in backbone.named_parameters() if own.grad is None] == []


@pytest.mark.parametrize('name', HIERARCHICAL)
def test_a_hierarchical_model_gives_a_map_of_each_stage(name: str) -> None:
    backbone = tiny(name)
    assert (backbone.strides, backbone.size_divisor) == ((4, 8, 16, 32), 32)
    maps = backbone(torch.randn(2, 3, 96, 160))
    sizes = [(2, width, 96 // s, 160 // s) for width, s in zip(backbone.out_channels, backbone.strides)]
    assert [tuple(own.shape) for own in maps] == sizes
    sum(own.square().mean() for own in maps).backward()
    assert [key for key, own in backbone.named_parameters() if own.grad is None] == []


@pytest.mark.parametrize('name', [*PLAIN, *HIERARCHICAL])
def test_weights_come_and_go_through_a_state_dict(name: str) -> None:
    one, other = tiny(name).eval(), tiny(name).eval()
    other.load_state_dict(one.state_dict())
    image = torch.randn(1, 3, 224, 224)[..., : 7 * one.size_divisor]
    for a, b in zip(one(image), other(image), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize('name', ['vit_small_patch16_dinov3', 'vit_small_patch14_dinov2', 'convnext_tiny'])
def test_runs_in_bfloat16(name: str) -> None:
    backbone = tiny(name).eval()
    image = torch.randn(1, 3, 224, 224)
    exact = backbone(image)[-1]
    with torch.autocast('cpu', torch.bfloat16):
        rough = backbone(image)[-1].float()
    assert 0 < (rough - exact).norm() < 0.05 * exact.norm()


def published(name: str) -> nn.Module:
    """The whole model, classifier included, as timm saves it."""
    torch.manual_seed(1)
    return timm.create_model(name, num_classes=7, **HIERARCHICAL.get(name, TINY_VIT))


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
@pytest.mark.parametrize('name', ['vit_small_patch16_dinov3', 'vit_base_patch16_siglip_224', *HIERARCHICAL])
def test_weights_of_timm_are_loaded(name: str, suffix: str, tmp_path: Path) -> None:
    theirs, file = published(name), tmp_path / f'model.{suffix}'
    save_file(theirs.state_dict(), file) if suffix == 'safetensors' else torch.save(theirs.state_dict(), file)
    backbone = tiny(name, pretrained=str(file))
    backbone.init_weights()
    for key, value in backbone.model.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[key]), key


def test_position_embeddings_of_another_size_are_interpolated(tmp_path: Path) -> None:
    theirs = timm.create_model('vit_small_patch14_dinov2', img_size=56, **TINY_VIT)
    torch.save(theirs.state_dict(), tmp_path / 'small.pth')
    backbone = tiny('vit_small_patch14_dinov2', pretrained=str(tmp_path / 'small.pth'))  # made for 518 pixels
    backbone.init_weights()
    assert backbone.model.pos_embed.shape[1] == 37 * 37 + 1
    assert torch.equal(backbone.model.blocks[2].mlp.fc1.weight, theirs.blocks[2].mlp.fc1.weight)


def test_the_layout_of_the_authors_of_dinov2_is_read(tmp_path: Path) -> None:
    theirs = timm.create_model('vit_small_patch14_dinov2', **TINY_VIT).state_dict()
    torch.save({**theirs, 'mask_token': torch.zeros(1, 32)}, tmp_path / 'theirs.pth')
    backbone = tiny('vit_small_patch14_dinov2', pretrained=str(tmp_path / 'theirs.pth'))
    backbone.init_weights()
    assert torch.equal(backbone.model.blocks[0].attn.qkv.weight, theirs['blocks.0.attn.qkv.weight'])


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda own: {f'x.{key}': value for key, value in own.items()}, "prefix='x.'"),
        (lambda own: {key: value for key, value in own.items() if 'gamma_1' not in key}, 'gamma_1'),
        (lambda own: {**own, 'blocks.0.mlp.fc1.weight': torch.zeros(5, 32)}, r'\(5, 32\) there'),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: Any, words: str, tmp_path: Path) -> None:
    torch.save(change(published('vit_small_patch16_dinov3').state_dict()), tmp_path / 'other.pth')
    backbone = tiny('vit_small_patch16_dinov3', pretrained=str(tmp_path / 'other.pth'))
    with pytest.raises(CheckpointError, match=words):
        backbone.init_weights()


def test_frozen_nothing_is_kept_for_a_backward_pass() -> None:
    backbone = tiny('vit_small_patch16_dinov3', frozen=True)
    before = copy.deepcopy(backbone.state_dict())
    maps = backbone.train()(torch.randn(1, 3, 48, 80, requires_grad=True))
    assert not any(module.training for module in backbone.modules())
    assert not any(own.requires_grad for own in (*maps, *backbone.parameters()))
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_a_model_of_one_size_is_refused() -> None:
    with pytest.raises(OptionError, match='one size only'):
        TimmBackbone('beit_base_patch16_224', options=TINY_VIT)


@pytest.mark.parametrize('size', [(32, 64), (60, 70)])
def test_images_of_broken_patches_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match='size_divisor to a multiple of 14'):
        tiny('vit_small_patch14_dinov2')(torch.zeros(1, 3, *size))


def test_drop_path_grows_along_the_blocks() -> None:
    rates = [
        getattr(block.drop_path1, 'drop_prob', 0.0)
        for block in tiny('vit_small_patch14_dinov2', drop_path=0.2).model.blocks
    ]
    assert rates == pytest.approx([0.0, 0.1, 0.2])


def test_weights_of_three_bands_make_stems_of_others(tmp_path: Path, model_config: Any) -> None:
    theirs = published('vit_small_patch16_dinov3').state_dict()
    torch.save(theirs, tmp_path / 'rgb.pth')
    for bands, missing in ([3, 4], 'weight_4'), ([4], 'weight'):
        config = model_config(in_channels=[32])
        backbone = dict(type='mmlmseg.TimmBackbone', model='vit_small_patch16_dinov3', options=TINY_VIT)
        model = MODELS.build(
            dict(config, backbone=dict(backbone, pretrained=str(tmp_path / 'rgb.pth')), stems=dict(bands=bands))
        )
        model.init_weights()
        convolution = model.backbone.model.patch_embed.proj
        assert torch.equal(getattr(convolution, missing), adapted(theirs['patch_embed.proj.weight'], 4))
        assert torch.equal(model.backbone.model.reg_token, theirs['reg_token'])


def test_images_of_four_bands_without_stems() -> None:
    backbone = TimmBackbone('vit_small_patch16_dinov3', options=dict(TINY_VIT, in_chans=4))
    assert tuple(backbone(torch.zeros(1, 4, 32, 48))[0].shape) == (1, 32, 2, 3)


@pytest.mark.parametrize(
    ('name', 'options'), [('vit_small_patch16_dinov3', TINY_VIT), ('convnext_tiny', HIERARCHICAL['convnext_tiny'])]
)
@pytest.mark.parametrize('frozen', [False, True])
def test_a_training_step_below_the_head(
    name: str, options: Any, frozen: bool, model_config: Any, make_sample: Any
) -> None:
    config = model_config(in_channels=[32] if 'vit' in name else [8, 16, 24, 32], text=False)
    config['backbone'] = dict(type='mmlmseg.TimmBackbone', model=name, options=options, frozen=frozen)
    if 'vit' in name:
        config['neck'] = dict(type='mmlmseg.SimpleFeaturePyramid', in_channels=32, out_channels=16)
        config['decode_head']['in_channels'] = [16] * 4
    model = MODELS.build(config).train()
    wrapper = build_optim_wrapper(
        model,
        dict(type='OptimWrapper', constructor='mmlmseg.MergedGroupsConstructor', optimizer=dict(type='AdamW', lr=1e-3)),
    )
    before = {key: value.clone() for key, value in model.state_dict().items()}
    waiting = {key for key, value in model.named_parameters() if value.requires_grad}  # as several processes do
    for key, value in model.named_parameters():
        if value.requires_grad:
            value.register_hook(lambda _, key=key: waiting.discard(key))
    samples = [make_sample('street', (48, 80)), make_sample('facade', (64, 64))]
    batch = {key: [sample[key] for sample in samples] for key in ('inputs', 'data_samples')}
    assert torch.isfinite(model.train_step(batch, wrapper)['loss'])
    assert waiting == set()
    changed = {key for key, value in model.state_dict().items() if not value.equal(before[key])}
    assert any(key.startswith('backbone.') for key in changed) != frozen
    assert any(key.startswith('decode_head.') for key in changed)
    (seen, _) = model.eval().test_step({key: [own[key] for own in samples] for key in ('inputs', 'data_samples')})
    assert tuple(seen.pred_sem_seg.data.shape[1:]) == (48, 80)
