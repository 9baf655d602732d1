"""Names of results: whatever classes are called, they are told apart, and files and tags can bear them."""

from __future__ import annotations

import re

from mmlmseg.evaluation.keys import class_keys, is_class_key

ODD = ['tree', 'traffic light', 'traffic/light', 'a.b', 'street:car', 'Straße', '5', '..', 'wall, bricks', 'x' * 300]


def test_keys_of_odd_classes_are_safe_and_differ() -> None:
    keys = class_keys('IoU', ODD)
    assert keys[:5] == ('IoU.tree', 'IoU.traffic_light', 'IoU.traffic_light-2', 'IoU.a.b', 'IoU.street.car')
    assert len({key.casefold() for key in keys}) == len(ODD)
    assert all(re.fullmatch(r'[-\w.]{1,80}', key) for key in keys)  # what TensorBoard leaves as it is
    assert all(is_class_key(key) and is_class_key(f'mean/x/{key}') for key in keys)


def test_a_key_that_another_class_would_get_is_left_to_it() -> None:
    keys = class_keys('AP', ['a-b', 'a/b', 'a_b-2', 'a:b', 'a.b', 'a b'])
    assert len(set(keys)) == 6


def test_other_results_are_of_no_class() -> None:
    assert not any(map(is_class_key, ('mIoU', 'v1.2/mIoU', 'a/PQ_th', 'coco/segm_mAP_50', 'acc.top/x', 'mIoU.x')))
