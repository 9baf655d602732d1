"""Backbones, necks and their weights that cannot be had, and learning rates of their layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.optim import build_optim_wrapper
from refusals import Refusals
from torch import nn

from mmlmseg.config_checks.types import check_types
from mmlmseg.engine.layer_depth import depths
from mmlmseg.errors import CheckpointError, OptionError
from mmlmseg.models.backbones import CLIPResNet, OpenClipVision, TimmBackbone
from mmlmseg.models.data_preprocessor import GroupingDataPreProcessor
from mmlmseg.models.necks import SimpleFeaturePyramid
from mmlmseg.registry import MODELS

REFUSALS = Refusals()
VIT = dict(embed_dim=16, depth=2, num_heads=2)
DINOV2, DINOV3 = 'vit_small_patch14_dinov2', 'vit_small_patch16_dinov3'
BACKBONE = dict(type='mmlmseg.TimmBackbone', model=DINOV2, options=VIT)
PYRAMID = dict(type='mmlmseg.SimpleFeaturePyramid', in_channels=16, out_channels=8)


def segmentor(**parts: Any) -> Any:
    """A model whose head awaits its label spaces."""
    preprocessor = dict(type='mmlmseg.GroupingDataPreProcessor', mean=[0.0] * 3, std=[1.0] * 3)
    preprocessor.update(parts.pop('data_preprocessor', {}))
    own = dict(backbone=BACKBONE, decode_head=dict(type='mmlmseg.QueryHead'), data_preprocessor=preprocessor)
    return MODELS.build(dict(type='mmlmseg.MultiSpaceSegmentor', **{**own, **parts}))


def optimiser(model: Any, **paramwise: Any) -> None:
    constructor = dict(type='OptimWrapper', constructor='mmlmseg.MergedGroupsConstructor')
    build_optim_wrapper(
        model, ConfigDict(constructor, optimizer=dict(type='AdamW', lr=1.0), paramwise_cfg=dict(paramwise))
    )


@REFUSALS.by(OptionError, "unknown timm model 'vit_smal_patch16_dinov3'", 'Did you mean', DINOV3)
def a_misspelt_model(folder: Path) -> None:
    TimmBackbone('vit_smal_patch16_dinov3')


@REFUSALS.by(OptionError, f"model='{DINOV3}'", "pretrained='lvd1689m'")
def weights_in_the_name_of_a_model(folder: Path) -> None:
    TimmBackbone(f'{DINOV3}.lvd1689m')


@REFUSALS.by(OptionError, 'one size only', '224', DINOV3)
def a_model_of_one_size(folder: Path) -> None:
    TimmBackbone('beit_base_patch16_224')


@REFUSALS.by(OptionError, 'backbone.options', 'embed_dims')
def a_misspelt_option_of_timm(folder: Path) -> None:
    TimmBackbone(DINOV2, options=dict(embed_dims=16))


@REFUSALS.by(OptionError, 'out_indices = [2]', '2 blocks', '0 to 1')
def a_block_that_there_is_not(folder: Path) -> None:
    TimmBackbone(DINOV2, options=VIT, out_indices=[2])


@REFUSALS.by(OptionError, 'out_indices = [1, -1]', 'each once')
def a_block_that_comes_twice(folder: Path) -> None:
    TimmBackbone(DINOV2, options=VIT, out_indices=[1, -1])


@REFUSALS.by(OptionError, 'out_indices = 1', 'list')
def a_number_for_blocks(folder: Path) -> None:
    TimmBackbone(DINOV2, options=VIT, out_indices=1)  # type: ignore[arg-type]


@REFUSALS.by(OptionError, 'drop_path = 0.1', 'frozen')
def a_drop_path_in_a_frozen_backbone(folder: Path) -> None:
    TimmBackbone(DINOV2, options=VIT, frozen=True, drop_path=0.1)


@REFUSALS.by(OptionError, 'drop_path = 1.5', 'below 1')
def a_drop_path_above_1(folder: Path) -> None:
    TimmBackbone(DINOV2, options=VIT, drop_path=1.5)


@REFUSALS.by(CheckpointError, 'away/dino.pth', 'no such weight file', 'lvd142m')
def weights_that_are_not_there(folder: Path) -> None:
    TimmBackbone(DINOV2, 'away/dino.pth', options=VIT).init_weights()


@REFUSALS.by(CheckpointError, 'lvd142: no such weight file', 'Did you mean: lvd142m?')
def a_misspelt_tag(folder: Path) -> None:
    TimmBackbone(DINOV2, 'lvd142', options=VIT).init_weights()


@REFUSALS.by(CheckpointError, 'other.pth', 'no tensor', 'layer1.0.conv1.weight')
def weights_of_another_kind_of_model(folder: Path) -> None:
    torch.save({'layer1.0.conv1.weight': torch.zeros(4, 4)}, 'other.pth')
    TimmBackbone(DINOV2, 'other.pth', options=VIT).init_weights()


@REFUSALS.by(CheckpointError, 'shallow.pth', 'not in', 'blocks.1.')
def weights_of_a_shallower_model(folder: Path) -> None:
    torch.save(TimmBackbone(DINOV2, options=dict(VIT, depth=1)).model.state_dict(), 'shallow.pth')
    TimmBackbone(DINOV2, 'shallow.pth', options=VIT).init_weights()


@REFUSALS.by(CheckpointError, 'narrow.pth', 'of another shape', 'of another width or depth')
def weights_of_a_narrower_model(folder: Path) -> None:
    torch.save(TimmBackbone(DINOV2, options=dict(VIT, embed_dim=8)).model.state_dict(), 'narrow.pth')
    TimmBackbone(DINOV2, 'narrow.pth', options=VIT).init_weights()


@REFUSALS.by(CheckpointError, 'half.safetensors', 'safetensors')
def half_a_file(folder: Path) -> None:
    Path('half.safetensors').write_bytes(b'\x10\x00\x00\x00\x00\x00\x00\x00{"a"')
    TimmBackbone(DINOV2, 'half.safetensors', options=VIT).init_weights()


@REFUSALS.by(CheckpointError, "'RN50-quickgelu'", 'mmlmseg.CLIPResNet')
def a_resnet_for_a_transformer(folder: Path) -> None:
    OpenClipVision('RN50-quickgelu')


@REFUSALS.by(CheckpointError, "'ViT-B-32'", 'mmlmseg.OpenClipVision')
def a_transformer_for_a_resnet(folder: Path) -> None:
    CLIPResNet('ViT-B-32')


@REFUSALS.by(CheckpointError, "'ViT-B-61'", 'Did you mean: ViT-B-16')
def a_misspelt_model_of_open_clip(folder: Path) -> None:
    OpenClipVision('ViT-B-61')


@REFUSALS.by(OptionError, '30x42', 'multiple of 14', 'model.data_preprocessor.size_divisor')
def an_image_of_broken_patches(folder: Path) -> None:
    TimmBackbone(DINOV2, options=VIT)(torch.zeros(1, 3, 30, 42))


@REFUSALS.by(OptionError, 'model.data_preprocessor.size_divisor = 32', 'leave it out, or give 14')
def padding_that_breaks_patches(folder: Path) -> None:
    segmentor(data_preprocessor=dict(size_divisor=32))


@REFUSALS.by(OptionError, 'size_divisor = 14', 'the backbone and the neck', 'give 28')
def padding_that_breaks_the_coarsest_map_of_a_pyramid(folder: Path) -> None:
    segmentor(neck=PYRAMID, data_preprocessor=dict(size_divisor=14))


@REFUSALS.by(OptionError, 'size_divisor = 32', 'give 14')
def padding_that_breaks_patches_of_mmseg(folder: Path) -> None:
    vit = dict(type='mmseg.VisionTransformer', img_size=56, patch_size=14, embed_dims=16, num_layers=1, num_heads=2)
    segmentor(backbone=vit, data_preprocessor=dict(size_divisor=32))


@REFUSALS.by(OptionError, "size_divisor = '32'", 'an integer')
def a_word_for_padding(folder: Path) -> None:
    GroupingDataPreProcessor([0.0] * 3, [1.0] * 3, size_divisor='32')  # type: ignore[arg-type]


@REFUSALS.by(OptionError, 'neck.in_channels = 32', '16 channels')
def a_pyramid_of_other_channels(folder: Path) -> None:
    SimpleFeaturePyramid(32, 8)([torch.zeros(1, 16, 2, 2)])


@REFUSALS.by(OptionError, 'neck.in_channels = [16, 16]', 'one number')
def a_pyramid_of_several_maps(folder: Path) -> None:
    SimpleFeaturePyramid([16, 16], 8)  # type: ignore[arg-type]


@REFUSALS.by(OptionError, 'neck.scales = [1, 2]', '4, 2, 1, 0.5', 'fine first')
def scales_in_another_order(folder: Path) -> None:
    SimpleFeaturePyramid(16, 8, scales=[1, 2])


@REFUSALS.by(OptionError, 'layer_decay = 80', 'a fraction such as 0.8')
def a_decay_in_percent(folder: Path) -> None:
    optimiser(segmentor(), layer_decay=80)


@REFUSALS.by(OptionError, 'layer_decay', 'the backbone is frozen')
def a_decay_of_a_frozen_backbone(folder: Path) -> None:
    optimiser(segmentor(backbone=dict(BACKBONE, frozen=True)), layer_decay=0.8)


@REFUSALS.by(OptionError, 'layer_decay', 'Sequential', 'custom_keys')
def a_decay_of_unknown_blocks(folder: Path) -> None:
    depths(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)))


@REFUSALS.by(OptionError, 'optim_wrapper.paramwise_cfg', "'layer_decay'")
def a_decay_that_the_constructor_does_not_know(folder: Path) -> None:
    wrapper = dict(optimizer=dict(type='AdamW', lr=1.0), paramwise_cfg=dict(layer_decay=0.8))
    check_types(Config(dict(optim_wrapper=wrapper)), ['train'])


@REFUSALS.by(OptionError, "'mmpretrain.ConvNeXt'", 'not installed', 'onedl-mmpretrain', 'mmlmseg.TimmBackbone')
def a_package_that_is_not_installed(folder: Path) -> None:
    segmentor(backbone=dict(type='mmpretrain.ConvNeXt'))
