"""What is put between the steps of pipelines: padding is undone, and what cannot be undone is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import TRANSFORMS, DefaultScope

from mmlmseg.datasets import CheckImage, CheckLabels, Trace
from mmlmseg.datasets.guards import add_guards
from mmlmseg.errors import DataError, OptionError
from mmlmseg.models.data_preprocessor import GroupingDataPreProcessor
from mmlmseg.models.postprocess.lazy_maps import LazyMaps

SIZE = (20, 32)
LOAD, LABELS, PACK = (dict(type=name) for name in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs'))
FLIPS = {name: dict(type='RandomFlip', prob=1.0, direction=name) for name in ('horizontal', 'vertical', 'diagonal')}
TWICE = dict(type='Resize', scale_factor=2.0, interpolation='nearest')
PADS = dict(
    fixed=dict(type='Pad', size=(160, 96)),
    divisor=dict(type='Pad', size_divisor=48),
    square=dict(type='Pad', pad_to_square=True),
)
Steps = list[dict[str, Any]]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """An image whose values tell places, and its labels."""
    values = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 251
    cv2.imwrite(str(tmp_path / 'image.png'), np.repeat(values[..., None], 3, axis=2))
    cv2.imwrite(str(tmp_path / 'labels.png'), values % 3)
    return dict(
        img_path=str(tmp_path / 'image.png'),
        seg_map_path=str(tmp_path / 'labels.png'),
        reduce_zero_label=False,
        label_map=None,
        seg_fields=[],
    )


def pack(files: dict[str, Any], steps: Steps) -> dict[str, Any]:
    with DefaultScope.overwrite_default_scope('mmseg'):
        pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    add_guards(pipeline, 3)
    return pipeline(dict(files, seg_fields=[]))


def preprocess(sample: dict[str, Any], training: bool = False) -> dict[str, Any]:
    data = {key: [sample[key]] for key in ('inputs', 'data_samples')}
    return GroupingDataPreProcessor([0.0] * 3, [1.0] * 3)(data, training)


def assert_restored(files: dict[str, Any], steps: Steps) -> None:
    """What a model sees at a place is brought back to this place of the file."""
    batch = preprocess(pack(files, steps))
    seen, meta = batch['inputs'][0][0, :1], batch['data_samples'][0].metainfo
    restored = LazyMaps.of(seen, torch.float32).restore(meta).read(range(SIZE[0]), range(SIZE[1]))[..., 0]
    image = torch.from_numpy(cv2.imread(files['img_path'])[..., 0])
    if TWICE in steps:  # bilinear on the way back
        assert (restored - image).abs().median() <= 1
    else:
        torch.testing.assert_close(restored, image.float())


@pytest.mark.parametrize('pad', PADS)
@pytest.mark.parametrize('flip', [None, *FLIPS])
@pytest.mark.parametrize('resize', [[], [TWICE]])
def test_padding_is_cut_off_wherever_it_stands(
    files: dict[str, Any], pad: str, flip: str | None, resize: Steps
) -> None:
    flips = [FLIPS[flip]] if flip else []
    assert_restored(files, [LOAD, *resize, *flips, PADS[pad], LABELS, PACK])
    assert_restored(files, [LOAD, *resize, PADS[pad], *flips, LABELS, PACK])
    assert_restored(files, [LOAD, *resize, PADS[pad], *flips, PADS['divisor'], LABELS, PACK])


CROP = dict(type='RandomCrop', crop_size=(16, 16))
UNFIT_TO_TEST = {
    'RandomCrop changes which part': [LOAD, CROP, PACK],
    'CenterCrop changes which part': [LOAD, dict(type='CenterCrop', crop_size=(16, 16)), PACK],
    'RandomRotate changes which part': [LOAD, LABELS, dict(type='RandomRotate', prob=1.0, degree=10), PACK],
    'Resize after Pad changes which part': [LOAD, PADS['fixed'], TWICE, PACK],
    'RandomFlip turned the labels': [LOAD, LABELS, FLIPS['vertical'], PACK],
    'Pad padded the labels': [LOAD, LABELS, PADS['fixed'], PACK],
}


@pytest.mark.parametrize('words', UNFIT_TO_TEST)
def test_what_no_result_can_undo_is_refused_in_tests_only(files: dict[str, Any], words: str) -> None:
    sample = pack(files, UNFIT_TO_TEST[words])
    with pytest.raises(DataError, match=f'image.png: {words}'):
        preprocess(sample)
    preprocess(pack(files, UNFIT_TO_TEST[words]), training=True)


def test_labels_come_before_what_moves_the_image(files: dict[str, Any]) -> None:
    for steps, words in (
        ([LOAD, CROP, LABELS, PACK], 'loaded after RandomCrop'),
        ([LOAD, TWICE, LABELS, CROP, PACK], 'before RandomCrop the image is 40x64 and the label 20x32'),
        ([LOAD, TWICE, LABELS, PADS['fixed'], PACK], 'before Pad the image is 40x64 and the label 20x32'),
    ):
        with pytest.raises(DataError, match=words):
            pack(files, steps)
    flipped = pack(files, [LOAD, FLIPS['vertical'], LABELS, PACK])
    with pytest.raises(DataError, match='labels are loaded after RandomFlip'):
        preprocess(flipped, training=True)
    preprocess(pack(files, [LOAD, FLIPS['vertical'], LABELS, PACK]))  # as test-time augmentation does


def test_guards_are_added_once_and_in_nested_steps() -> None:
    inner = [CROP, PADS['fixed']]
    with DefaultScope.overwrite_default_scope('mmseg'):
        pipeline = Compose([LOAD, LABELS, dict(type='RandomChoice', transforms=[inner, [CROP]]), PACK])
    for _ in range(2):
        add_guards(pipeline, 3)
        kinds = [type(step) for step in pipeline.transforms]
        assert [kinds.count(kind) for kind in (CheckImage, CheckLabels, Trace)] == [1, 1, 1]
        assert repr(pipeline).count('Trace(') == 4


def test_segments_know_no_other_ignored_id() -> None:
    with pytest.raises(OptionError, match='ignore_index=7: segments know 255 only'):
        add_guards([TRANSFORMS.build(dict(type='mmlmseg.LoadSegments'))], 3, ignore_index=7)
