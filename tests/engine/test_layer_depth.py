"""Layer-wise decay: learning rates by the depth of each parameter, as tables written by hand say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn

from mmlmseg.engine.layer_depth import depths
from mmlmseg.errors import OptionError
from mmlmseg.registry import MODELS

VIT = dict(embed_dim=16, depth=2, num_heads=2)
SWIN = dict(embed_dim=8, depths=(1, 2, 1, 1), num_heads=(1, 1, 1, 1))
CONVNEXT = dict(depths=(1, 1, 2, 1), dims=(8, 8, 8, 8))
TABLES: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    'timm ViT': (
        dict(type='mmlmseg.TimmBackbone', model='vit_small_patch14_dinov2', options=VIT),
        {
            'model.cls_token': 0,
            'model.pos_embed': 0,
            'model.patch_embed.proj.weight': 0,
            'model.blocks.0.attn.qkv.weight': 1,
            'model.blocks.0.ls1.gamma': 1,
            'model.blocks.1.mlp.fc1.bias': 2,
            'model.norm.weight': 2,
        },
    ),
    'timm EVA': (
        dict(type='mmlmseg.TimmBackbone', model='vit_small_patch16_dinov3', options=VIT),
        {
            'model.cls_token': 0,
            'model.reg_token': 0,
            'model.patch_embed.proj.bias': 0,
            'model.blocks.0.attn.qkv.weight': 1,
            'model.blocks.1.gamma_1': 2,
            'model.norm.weight': 2,
        },
    ),
    'timm Swin': (
        dict(type='mmlmseg.TimmBackbone', model='swin_tiny_patch4_window7_224', options=SWIN),
        {
            'model.patch_embed.proj.weight': 0,
            'model.layers.0.blocks.0.attn.qkv.weight': 1,
            'model.layers.1.downsample.reduction.weight': 2,
            'model.layers.1.blocks.0.mlp.fc1.weight': 2,
            'model.layers.1.blocks.1.mlp.fc1.weight': 3,
            'model.layers.3.blocks.0.mlp.fc1.weight': 5,
        },
    ),
    'timm ConvNeXt': (
        dict(type='mmlmseg.TimmBackbone', model='convnext_tiny', options=CONVNEXT),
        {
            'model.stem.0.weight': 0,
            'model.stages.0.blocks.0.conv_dw.weight': 1,
            'model.stages.1.downsample.1.weight': 2,
            'model.stages.2.blocks.1.mlp.fc1.weight': 4,
            'model.stages.3.blocks.0.gamma': 5,
        },
    ),
    'mmseg ViT': (
        dict(type='mmseg.VisionTransformer', img_size=64, embed_dims=16, num_layers=2, num_heads=2, final_norm=True),
        {
            'cls_token': 0,
            'pos_embed': 0,
            'patch_embed.projection.weight': 0,
            'layers.0.attn.attn.in_proj_weight': 1,
            'layers.1.ffn.layers.0.0.weight': 2,
            'ln1.weight': 2,
        },
    ),
    'mmseg Swin': (
        dict(type='mmseg.SwinTransformer', embed_dims=8, depths=(1, 2, 1, 1), num_heads=(1, 1, 1, 1)),
        {
            'patch_embed.projection.weight': 0,
            'stages.0.blocks.0.attn.w_msa.qkv.weight': 1,
            'stages.0.downsample.reduction.weight': 2,
            'stages.1.blocks.1.norm1.weight': 4,
            'norm3.weight': 8,
            'stages.3.blocks.0.norm1.weight': 8,
        },
    ),
    'ResNet': (
        dict(type='mmseg.ResNet', depth=18, base_channels=8),
        {
            'conv1.weight': 0,
            'bn1.weight': 0,
            'layer1.0.conv1.weight': 1,
            'layer2.1.conv2.weight': 4,
            'layer4.1.bn2.bias': 8,
        },
    ),
    'CLIP ViT': (
        dict(type='mmlmseg.OpenClipVision', model='ViT-S-32'),
        {
            'model.class_embedding': 0,
            'model.positional_embedding': 0,
            'model.conv1.weight': 0,
            'model.ln_pre.weight': 0,
            'model.transformer.resblocks.0.ln_1.weight': 1,
            'model.transformer.resblocks.11.mlp.c_fc.weight': 12,
            'model.ln_post.weight': 12,
        },
    ),
}


def build(model: nn.Module, **paramwise: Any) -> OptimWrapper:
    config = dict(
        type='OptimWrapper',
        constructor='mmlmseg.MergedGroupsConstructor',
        optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.1),
        paramwise_cfg=paramwise,
    )
    return build_optim_wrapper(model, ConfigDict(config))


def rates(model: nn.Module, wrapper: OptimWrapper) -> dict[str, float]:
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {names[own]: group['lr'] for group in wrapper.optimizer.param_groups for own in group['params']}


@pytest.mark.parametrize('kind', TABLES)
def test_depths_are_those_of_the_table(kind: str) -> None:
    config, table = TABLES[kind]
    backbone = MODELS.build(config)
    found = depths(backbone)
    assert {name: found[name] for name in table} == table
    assert found.keys() == dict(backbone.named_parameters()).keys()
    assert max(found.values()) == max(table.values())


def test_learning_rates_fall_towards_the_image(model_config: Callable[..., dict[str, Any]]) -> None:
    config = model_config(in_channels=[16])
    del config['data_preprocessor']['size_divisor']
    config['backbone'] = TABLES['timm ViT'][0]
    model = MODELS.build(config)
    found = rates(model, build(model, layer_decay=0.5, custom_keys={'blocks.1': dict(lr_mult=0.1)}))
    expected = {
        'backbone.model.pos_embed': 0.125,
        'backbone.model.blocks.0.attn.qkv.weight': 0.25,
        'backbone.model.blocks.1.attn.qkv.weight': 0.05,  # times that of the key
        'backbone.model.norm.weight': 0.5,
        'decode_head.queries.position.weight': 1.0,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize('decay', [0, 1.5, 'slow'])
def test_a_decay_is_a_fraction(decay: Any, model_config: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(OptionError, match='layer_decay'):
        build(MODELS.build(model_config()), layer_decay=decay)


def test_unknown_blocks_are_said() -> None:
    with pytest.raises(OptionError, match='blocks of a Sequential are not told'):
        depths(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)))


def test_a_frozen_backbone_is_not_in_the_optimiser(model_config: Callable[..., dict[str, Any]]) -> None:
    config = model_config(in_channels=[16])
    del config['data_preprocessor']['size_divisor']
    config['backbone'] = dict(TABLES['timm EVA'][0], frozen=True)
    model = MODELS.build(config)
    found = rates(model, build(model, norm_decay_mult=0.0))
    assert found.keys() == {name for name, own in model.named_parameters() if not name.startswith('backbone.')}
    with pytest.raises(OptionError, match='frozen'):
        build(model, layer_decay=0.8)


def test_what_fsdp_has_wrapped_has_the_same_depth() -> None:
    class Wrapped(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self._fsdp_wrapped_module = inner

    for kind in ('timm EVA', 'mmseg ViT'):
        config, table = TABLES[kind]
        found = depths(Wrapped(MODELS.build(config)))
        assert {name: found[name] for name in table} == table
