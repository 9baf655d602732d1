"""The quick transforms beside mmseg's own: the same draws, the same pixels, to the bit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import TRANSFORMS, DefaultScope

from mmlmseg.datasets import FolderDataset, PhotoMetricDistortion
from mmlmseg.datasets.truth import count_values
from mmlmseg.errors import OptionError

Step = dict[str, Any]
RESIZE = dict(type='RandomResize', scale=(96, 64), ratio_range=(0.5, 2.0), keep_ratio=True)
PIPELINES: dict[str, list[Step]] = {
    'crop': [dict(type='RandomCrop', crop_size=(24, 32))],
    'crop that seeks variety': [dict(type='RandomCrop', crop_size=(9, 7), cat_max_ratio=0.36)],
    'crop that finds no variety': [dict(type='RandomCrop', crop_size=(9, 7), cat_max_ratio=0.01)],
    'crop that counts ignored labels': [dict(type='RandomCrop', crop_size=5, cat_max_ratio=0.5, ignore_index=1)],
    'flip to and fro': [dict(type='RandomFlip', prob=0.5)],
    'flip in all directions': [dict(type='RandomFlip', prob=0.9, direction=['horizontal', 'vertical', 'diagonal'])],
    'flip that swaps labels': [dict(type='RandomFlip', prob=0.8, swap_seg_labels=[(0, 2)])],
    'colours': [dict(type='PhotoMetricDistortion')],
    'colours, far': [
        dict(type='PhotoMetricDistortion', brightness_delta=90, contrast_range=(0.1, 3.0), hue_delta=89),
    ],
    'training': [
        RESIZE,
        dict(type='RandomCrop', crop_size=(32, 48), cat_max_ratio=0.75),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PhotoMetricDistortion'),
        dict(type='Pad', size=(48, 32), pad_val=dict(img=128, seg=255)),
    ],
}


def build(steps: list[Step]) -> Compose:
    with DefaultScope.overwrite_default_scope('mmseg'):
        return Compose([TRANSFORMS.build(dict(step)) for step in steps])


def ours(step: Step) -> Step:
    quick = ('RandomCrop', 'RandomFlip', 'PhotoMetricDistortion', 'LoadAnnotations')
    return dict(step, type=f'mmlmseg.{step["type"]}') if step['type'] in quick else step


@pytest.mark.parametrize('name', PIPELINES)
@pytest.mark.parametrize('options', [{}, dict(reduce_zero_label=True)])
def test_a_seed_gives_the_same_sample_as_mmseg(make_folder: Callable[..., Path], name: str, options: Step) -> None:
    folder = make_folder(size=(40, 56), ignore=4 if options else 3)
    samples = FolderDataset(folder, pipeline=[], **options)
    load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
    theirs = build([*load, *PIPELINES[name], dict(type='PackSegInputs')])
    quick = build([*map(ours, [*load, *PIPELINES[name]]), dict(type='mmlmseg.PackSegments')])
    for seed in range(40):
        packed = []
        for pipeline in (theirs, quick):
            np.random.seed(seed)
            info = samples.get_data_info(seed % len(samples))
            packed.append((pipeline(info), np.random.random()))
        (expected, next_expected), (found, next_found) = packed
        assert next_found == next_expected, 'a draw more, or a draw less'
        assert found['inputs'].is_contiguous()
        assert torch.equal(found['inputs'], expected['inputs'])
        assert torch.equal(found['data_samples'].gt_sem_seg.data, expected['data_samples'].gt_sem_seg.data)
        assert found['data_samples'].gt_sem_seg.data.dtype == torch.long
        assert found['data_samples'].metainfo == expected['data_samples'].metainfo


def test_all_colours_are_changed_as_by_mmseg() -> None:
    """256 by 256 by 256 of them in steps of five."""
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    image = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, len(levels), 3)
    theirs, quick = build([dict(type='PhotoMetricDistortion')]), PhotoMetricDistortion()
    for seed in range(30):
        found = []
        for transform in (theirs, quick):
            np.random.seed(seed)
            found.append(transform(dict(img=image.copy()))['img'])
        np.testing.assert_array_equal(*found)


def test_a_float_image_is_refused() -> None:
    with pytest.raises(OptionError, match='the image is float32, not uint8; load it without to_float32'):
        PhotoMetricDistortion()(dict(img=np.zeros((4, 4, 3), np.float32)))


def test_reduce_zero_label_of_transform_and_dataset_must_agree(make_folder: Callable[..., Path]) -> None:
    with pytest.warns(UserWarning, match='reduce_zero_label'):
        load = build([dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadAnnotations', reduce_zero_label=True)])
    info = FolderDataset(make_folder(), pipeline=[]).get_data_info(0)
    with pytest.raises(OptionError, match=r'reduce_zero_label=True, the dataset of .*png False; say it in the dataset'):
        load(copy.deepcopy(info))


@pytest.mark.parametrize('shape', [(7, 9), (0, 3), (1, 1)])
@pytest.mark.parametrize('dtype', [np.uint8, np.int32, np.int64])
def test_values_are_counted_as_by_numpy(shape: tuple[int, int], dtype: type) -> None:
    values = np.random.default_rng(0).integers(0, 256, (2 * shape[0], shape[1]), dtype=np.uint8).astype(dtype)[::2]
    for found, expected in zip(count_values(values), np.unique(values, return_counts=True)):
        np.testing.assert_array_equal(found, expected)
