"""The functional IoU against a loop over pixels, and its limits."""

from __future__ import annotations

import pytest
import torch

from mmlmseg.errors import DataError
from mmlmseg.evaluation.functional import ClassAreas, class_areas, iou, iou_scores, joint_histogram


def _by_loop(prediction: torch.Tensor, label: torch.Tensor, num_classes: int) -> torch.Tensor:
    histogram = torch.zeros(num_classes, num_classes, dtype=torch.long)
    for p, t in zip(prediction.flatten().tolist(), label.flatten().tolist(), strict=True):
        if t != 255:
            histogram[t, p] += 1
    return histogram


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int32, torch.int64])
def test_histogram_equals_a_loop(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randint(0, 7, (13, 17), generator=generator)
    label = torch.randint(0, 7, (13, 17), generator=generator)
    label[torch.rand(13, 17, generator=generator) < 0.2] = 255
    histogram = joint_histogram(prediction.to(dtype), label.to(dtype), 7)
    assert histogram.dtype == torch.long
    assert torch.equal(histogram, _by_loop(prediction, label, 7))


def test_inputs_are_left_alone() -> None:
    prediction, label = torch.tensor([0, 1], dtype=torch.int32), torch.tensor([1, 255], dtype=torch.int32)
    joint_histogram(prediction, label, 2)
    assert prediction.tolist() == [0, 1]
    assert label.tolist() == [1, 255]


def test_255_classes_leave_room_for_the_ignore_label() -> None:
    ids = torch.arange(255)
    assert torch.equal(joint_histogram(ids, ids, 255), torch.eye(255, dtype=torch.long))
    with pytest.raises(DataError, match=r'ignore_index 255 is also a class id'):
        joint_histogram(ids, ids, 256)


def test_areas_and_scores_by_hand() -> None:
    prediction = torch.tensor([0, 0, 1, 1, 2])
    label = torch.tensor([0, 1, 1, 255, 0])
    areas = class_areas(prediction, label, 4)
    assert [area.tolist() for area in areas] == [[1, 1, 0, 0], [2, 1, 1, 0], [2, 2, 0, 0]]
    scores = iou_scores(areas)
    assert scores.per_class['IoU'][:3].tolist() == pytest.approx([1 / 3, 1 / 2, 0])
    assert scores.per_class['IoU'][3].isnan()  # in neither
    assert float(scores.means['mIoU']) == pytest.approx((1 / 3 + 1 / 2 + 0) / 3)  # only predicted: counts as 0
    assert float(scores.means['mAcc']) == pytest.approx(1 / 2)  # only predicted: has no accuracy
    assert float(scores.means['aAcc']) == pytest.approx(2 / 4)


def test_a_formula_is_a_column_and_a_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(iou.FORMULAS, 'Half', lambda areas: areas.intersect / 2)
    scores = iou_scores(ClassAreas(*torch.tensor([[4, 2], [4, 4], [4, 2]])))
    assert list(scores.per_class) == ['IoU', 'Acc', 'Half']
    assert scores.per_class['Half'].tolist() == [2, 1]
    assert float(scores.means['mHalf']) == 1.5
    assert list(scores.means) == ['mIoU', 'mAcc', 'mHalf', 'aAcc']


def test_areas_add_exactly_where_float_counts_do_not() -> None:
    many = torch.tensor([2**24 + 1])
    scores = iou_scores(ClassAreas(many - 1, many, many))
    assert float(scores.means['aAcc']) == 2**24 / (2**24 + 1)


def test_the_prediction_may_be_of_another_label_space() -> None:
    predicted, label = torch.tensor([3, 0, 3, 1]), torch.tensor([0, 1, 0, 255])
    assert joint_histogram(predicted, label, 2, num_predicted=4).tolist() == [[0, 0, 0, 2], [1, 0, 0, 0]]
    with pytest.raises(DataError, match=r'predicted id 3 is outside 0\.\.2'):
        joint_histogram(predicted, label, 2, num_predicted=3)


def test_all_ignored_and_empty() -> None:
    scores = iou_scores(class_areas(torch.zeros(3, 3).long(), torch.full((3, 3), 255), 2))
    assert scores.per_class['IoU'].isnan().all()
    assert scores.means['aAcc'].isnan()
    assert int(joint_histogram(torch.zeros(0).long(), torch.zeros(0).long(), 2).sum()) == 0


@pytest.mark.parametrize(
    ('prediction', 'label', 'message'),
    [
        ([0, 3], [0, 0], r'predicted id 3 is outside 0\.\.2'),
        ([0, -1], [0, 0], r'predicted id -1 is outside'),
        ([0, 0], [0, 3], r'label id 3 is outside 0\.\.2'),
        ([0, 0], [0, 254], r'label id 254 is outside'),
        ([0, 0], [0, 256], r'label id 256 is outside'),
        ([0, 0], [0, -1], r'label id -1 is outside'),
        ([0, 0], [0], 'differ in size'),
    ],
)
def test_values_outside_their_range_are_errors(prediction: list[int], label: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        joint_histogram(torch.tensor(prediction), torch.tensor(label), 3)
