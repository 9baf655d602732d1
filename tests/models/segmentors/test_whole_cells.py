"""Images are padded such that the maps of any backbone fill them, and masks lie where they are seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmlmseg.errors import OptionError
from mmlmseg.models.postprocess.view import View
from mmlmseg.models.segmentors.whole_cells import CellProbe, fit_padding
from mmlmseg.registry import MODELS

TINY = dict(embed_dim=32, depth=2, num_heads=2)
MMSEG_VIT = dict(type='mmseg.VisionTransformer', img_size=64, embed_dims=16, num_layers=1, num_heads=2)
PYRAMID = dict(type='mmlmseg.SimpleFeaturePyramid', in_channels=32, out_channels=16)


def timm(name: str, **options: Any) -> dict[str, Any]:
    return dict(type='mmlmseg.TimmBackbone', model=name, options=options or TINY)


class Means(nn.Module):
    """Says of each patch the mean of its pixels; what does not fill a patch is left out, or padded."""

    def __init__(self, patch: int, pads: bool = False) -> None:
        super().__init__()
        self.patch, self.pads = patch, pads
        self.first = nn.Conv2d(3, 1, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        if self.pads:
            missing = [-side % self.patch for side in images.shape[-2:]]
            images = F.pad(images, (0, missing[1], 0, missing[0]))
        return [F.avg_pool2d(images, self.patch)]


@pytest.mark.parametrize(
    ('backbone', 'neck', 'multiple'),
    [
        (dict(type='mmseg.ResNet', depth=18, base_channels=8), None, 32),
        (timm('convnext_tiny', dims=(8, 8, 8, 8), depths=(1, 1, 1, 1)), None, 32),
        (timm('swin_tiny_patch4_window7_224', embed_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1)), None, 32),
        (timm('vit_small_patch16_dinov3'), None, 32),
        (timm('vit_small_patch16_dinov3'), PYRAMID, 32),
        (timm('vit_small_patch14_dinov2'), None, 14),
        (timm('vit_small_patch14_dinov2'), PYRAMID, 28),
        (dict(MMSEG_VIT, patch_size=16), None, 32),
        (dict(MMSEG_VIT, patch_size=14), None, 14),  # which pads to whole patches
        (
            dict(MMSEG_VIT, patch_size=14, num_layers=4, out_indices=(0, 1, 2, 3)),
            dict(type='mmseg.Feature2Pyramid', embed_dim=16, rescales=[4, 2, 1, 0.5]),
            28,
        ),
        (
            dict(
                type='mmseg.TIMMBackbone',
                model_name='vit_tiny_patch16_224',
                features_only=True,
                pretrained=False,
                patch_size=14,
                dynamic_img_size=True,
                dynamic_img_pad=True,
                out_indices=(0,),
            ),
            None,
            14,
        ),
        (dict(type='mmlmseg.OpenClipVision', model='ViT-S-32'), None, 32),
    ],
)
def test_the_multiple_is_what_the_maps_fill(
    backbone: dict[str, Any], neck: dict[str, Any] | None, multiple: int
) -> None:
    parts = MODELS.build(backbone), None if neck is None else MODELS.build(neck)
    assert CellProbe(*parts).multiple() == multiple
    assert not any(own.is_meta for part in parts if part is not None for own in part.parameters())


@pytest.mark.parametrize(('model', 'multiple'), [('vit_small_patch14_dinov2', 14), ('vit_small_patch16_dinov3', 32)])
def test_a_backbone_that_gives_no_maps_says_what_it_needs(model: str, multiple: int) -> None:
    backbone = MODELS.build(dict(type='mmlmseg.JointViT', model=model, joint_blocks=1, options=TINY))
    preprocessor = MODELS.build(dict(type='mmlmseg.GroupingDataPreProcessor', mean=[0.0] * 3, std=[1.0] * 3))
    assert fit_padding(preprocessor, backbone, None) == preprocessor.size_divisor == multiple


@pytest.mark.parametrize('pads', [False, True])
@pytest.mark.parametrize('patch', [7, 14, 16, 24, 48])
def test_any_patch_is_told_by_its_maps(patch: int, pads: bool) -> None:
    probe = CellProbe(Means(patch, pads), None)
    assert probe.multiple() == (32 if 32 % patch == 0 else patch)
    assert [probe.fills(own) for own in (patch, 2 * patch, patch + 1)] == [True, True, False]


def test_what_cannot_be_probed_is_left_alone() -> None:
    class Looks(nn.Module):
        def forward(self, images: Tensor) -> list[Tensor]:
            return [images * float(images.mean())]

    preprocessor = MODELS.build(dict(type='mmlmseg.GroupingDataPreProcessor', mean=[0.0] * 3, std=[1.0] * 3))
    assert CellProbe(Looks(), None).multiple() is None
    assert fit_padding(preprocessor, Looks(), None) == preprocessor.size_divisor == 32


@MODELS.register_module(name='MeansOfPatches', force=True)
class MeansOfPatches(Means, BaseModule):
    """As a backbone of a config."""


@pytest.mark.parametrize('patch', [7, 14, 16])
@pytest.mark.parametrize('size', [(56, 84), (61, 97), (100, 45)])
def test_a_painted_mask_lies_on_its_pixels(
    patch: int, size: tuple[int, int], model_config: Callable[..., dict[str, Any]], make_sample: Callable[..., Any]
) -> None:
    """What a backbone sees of whole patches is said of these pixels, by brute force over every patch."""
    config = dict(model_config(in_channels=[3]), backbone=dict(type='MeansOfPatches', patch=patch))
    config['data_preprocessor'] = dict(type='mmlmseg.GroupingDataPreProcessor', mean=[0.0] * 3, std=[1.0] * 3)
    model = MODELS.build(config)
    for y in range(0, size[0] - patch + 1, 3 * patch):
        for x in range(0, size[1] - patch + 1, 2 * patch):
            sample = make_sample('street', (16, 16))
            sample['inputs'] = torch.zeros(3, *size)
            sample['inputs'][:, y : y + patch, x : x + patch] = 1
            sample['data_samples'].set_metainfo(dict(img_shape=size, ori_shape=size))
            data = model.data_preprocessor(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))
            (images,), (prepared,) = data['inputs'], data['data_samples']
            with warnings.catch_warnings():
                warnings.simplefilter('error')
                (seen,) = model.extract_feat(images)
            maps = View(tuple(images.shape[-2:]), prepared.metainfo).maps(seen[0, :1], torch.float32)
            found = (maps.read(range(size[0]), range(size[1]))[..., 0] > 0.5).nonzero()
            assert found.min(0).values.tolist() == [y, x]
            assert found.max(0).values.tolist() == [y + patch - 1, x + patch - 1]


def with_divisor(model_config: Callable[..., dict[str, Any]], divisor: int | None, **parts: Any) -> dict[str, Any]:
    config = dict(model_config(in_channels=[16] * 4, text=False), **parts)
    config['data_preprocessor']['size_divisor'] = divisor
    return config


@pytest.mark.parametrize(('divisor', 'padded'), [(None, (84, 112)), (56, (112, 112)), (28, (84, 112))])
def test_the_preprocessor_pads_to_it(model_config, make_sample, divisor: int | None, padded: tuple[int, int]) -> None:
    config = with_divisor(model_config, divisor, backbone=timm('vit_small_patch14_dinov2'), neck=PYRAMID)
    model = MODELS.build(config)
    assert model.size_divisor == 28
    data = model.data_preprocessor(
        {key: [value] for key, value in make_sample('street', (80, 96)).items()}, training=True
    )
    assert tuple(data['inputs'][0].shape[-2:]) == padded
    losses = model(**data, mode='loss')
    sum(losses.values()).backward()
    assert [name for name, own in model.named_parameters() if own.grad is None and own.requires_grad] == []
    (result,) = model.eval()(**data, mode='predict')
    assert tuple(result.pred_sem_seg.data.shape) == (1, 80, 96)


@pytest.mark.parametrize('divisor', [32, 14, 16])
def test_a_divisor_that_shifts_masks_is_refused_with_one_that_fits(model_config, divisor: int) -> None:
    config = with_divisor(model_config, divisor, backbone=timm('vit_small_patch14_dinov2'), neck=PYRAMID)
    with pytest.raises(OptionError, match=f'size_divisor = {divisor}, .* leave it out, or give 28'):
        MODELS.build(config)


def test_tiles_are_of_whole_cells(model_config, make_sample) -> None:
    parts = dict(backbone=timm('vit_small_patch14_dinov2'), neck=PYRAMID)
    with pytest.raises(OptionError, match=r'multiples of 28 pixels.*take size \(84, 84\) and overlap 28'):
        MODELS.build(with_divisor(model_config, None, **parts, test_cfg=dict(tiles=dict(size=(96, 96), overlap=32))))
    tiles = dict(tiles=dict(size=(84, 84), overlap=28))
    model = MODELS.build(with_divisor(model_config, None, **parts, test_cfg=tiles)).eval()
    sizes = set()
    model.backbone.register_forward_pre_hook(lambda _, inputs: sizes.add(tuple(inputs[0].shape[-2:])))
    data = model.data_preprocessor({key: [value] for key, value in make_sample('street', (160, 96)).items()})
    (result,) = model(**data, mode='predict')
    assert tuple(result.pred_sem_seg.data.shape) == (1, 160, 96)
    assert sizes == {(84, 84)}


@pytest.mark.parametrize('patch', [14, 16])
def test_one_tile_says_what_the_whole_says(model_config, make_sample, patch: int) -> None:
    name = {14: 'vit_small_patch14_dinov2', 16: 'vit_small_patch16_dinov3'}[patch]
    model = MODELS.build(with_divisor(model_config, None, backbone=timm(name), neck=PYRAMID)).eval()
    side = 8 * model.size_divisor
    said = []
    for tiles in (None, dict(size=(side, side), overlap=model.size_divisor)):
        model.test_cfg = dict(tiles=tiles)
        data = model.data_preprocessor({key: [value] for key, value in make_sample('street', (96, 64)).items()})
        said.append(model(**data, mode='predict')[0].pred_sem_seg.data)
    assert torch.equal(*said)
