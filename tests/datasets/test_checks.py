from __future__ import annotations

import numpy as np
import pytest

from mmlmseg.datasets.checks import CheckLabels, check_class_count, check_ids, check_size
from mmlmseg.errors import DataError, LabelSpaceError
from mmlmseg.label_space import LabelSpace


def test_ids_within_the_space_pass() -> None:
    check_ids(np.array([[0, 1], [2, 255]], np.uint8), num_classes=3)
    check_ids(np.full((2, 2), 255, np.uint8), num_classes=3)
    check_ids(np.arange(256, dtype=np.uint8)[None], num_classes=255)


def test_an_id_outside_is_named() -> None:
    with pytest.raises(DataError, match=r'label id 7 is outside .*allowed: 0\.\.2 and 255'):
        check_ids(np.array([[0, 7]], np.uint8), num_classes=3)
    with pytest.raises(DataError, match=r'label id -1 '):
        check_ids(np.array([[0, -1]], np.int64), num_classes=3)


def test_ids_from_1_hint_at_reduce_zero_label() -> None:
    with pytest.raises(DataError, match='reduce_zero_label=True'):
        check_ids(np.array([[1, 2, 3]], np.uint8), num_classes=3)


def test_ids_lowered_after_reading_are_named_as_in_the_file() -> None:
    with pytest.raises(DataError, match=r'label id 4 is outside .*allowed: 1\.\.3, 0 and 255 .*; correct the labels'):
        check_ids(np.array([[1, 3]], np.uint8), num_classes=3, reduced=True)
    results = dict(gt_seg_map=np.array([[0, 253]], np.uint8), reduce_zero_label=True)
    with pytest.raises(DataError, match=r'label id 254 is outside'):
        CheckLabels(num_classes=3)(results)


def test_size() -> None:
    check_size(np.zeros((4, 6)), (4, 6))
    with pytest.raises(DataError, match=r'image 4x6, label 6x4'):
        check_size(np.zeros((6, 4)), (4, 6))
    with pytest.raises(DataError, match=r'not colours, such as \(0, 64, 128\)'):
        check_size(np.full((4, 6, 3), (128, 64, 0), np.uint8), (4, 6))


def test_transform_compares_with_the_size_before_a_resize() -> None:
    labels = np.zeros((8, 8), np.uint8)
    results = dict(gt_seg_map=labels, ori_shape=(8, 8), img_shape=(4, 4))
    assert CheckLabels(num_classes=1)(results) is results
    assert CheckLabels(num_classes=1)({}) == {}


def test_ignored_ids_of_a_dataset_become_255() -> None:
    results = CheckLabels(num_classes=3, ignore_index=7)(dict(gt_seg_map=np.array([[0, 7, 2]], np.uint8)))
    assert results['gt_seg_map'].tolist() == [[0, 255, 2]]
    results = CheckLabels(num_classes=3, ignore_index=0)(dict(gt_seg_map=np.array([[0, 1]], np.uint8)))
    assert results['gt_seg_map'].tolist() == [[255, 1]]


def test_a_side_of_one_pixel_comes_back() -> None:
    results = CheckLabels(num_classes=3)(dict(gt_seg_map=np.array([0, 1, 2], np.uint8), ori_shape=(3, 1)))
    assert results['gt_seg_map'].shape == (3, 1)


def test_more_classes_than_label_maps_can_hold() -> None:
    many = [f'c{i}' for i in range(65536)]
    space = LabelSpace.create('many', many, palette=[(0, 0, 0)] * len(many))
    with pytest.raises(LabelSpaceError, match=r"'many': 65536 classes do not fit 16-bit labels \(at most 65535\)"):
        check_class_count(space)
    space = LabelSpace.create('some', many[:256])
    check_class_count(space)
    with pytest.raises(LabelSpaceError, match=r'256 classes do not fit 8-bit labels.*mmlmseg\.FolderDataset'):
        check_class_count(space, wide=False)
