"""Intersection over union of label maps, and what else follows from one joint histogram.

What is scored of each class stands in :data:`FORMULAS`. A line more there is a further column of the table per class
and a further mean over classes, with an ``m`` before its name, of all that shows scores; nothing else has to change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from ...segments import IGNORE_INDEX
from .histogram import check_ignore_index, check_range, outside, pair_counts


class ClassAreas(NamedTuple):
    """Pixel counts per class, long [K] each. Areas of several images simply add."""

    intersect: Tensor
    prediction: Tensor
    label: Tensor


FORMULAS: dict[str, Callable[[ClassAreas], Tensor]] = {
    'IoU': lambda a: a.intersect / (a.prediction + a.label - a.intersect),
    'Acc': lambda a: a.intersect / a.label,
}
"""The scores of a class by their names: from areas, double [K] each, to fractions [K]."""


class IoUScores(NamedTuple):
    """Fractions in [0, 1]; nan where the ratio is 0 / 0. Double, on the device of the areas.

    A class that neither the truth nor the prediction holds has no IoU (nan) and counts in no mean; one that is only
    predicted has IoU 0, which counts.
    """

    per_class: dict[str, Tensor]  # [K], by the names of FORMULAS
    means: dict[str, Tensor]  # [], over the classes: 'mIoU', 'mAcc', ...; 'aAcc' is the accuracy over all pixels


def joint_histogram(
    prediction: Tensor,
    label: Tensor,
    num_classes: int,
    ignore_index: int = IGNORE_INDEX,
    num_predicted: int | None = None,
) -> Tensor:
    """Count how often each true class meets each predicted class.

    Args:
        prediction: Integer class ids in [0, C), any shape.
        label: True class ids of the same shape, in [0, K) or ``ignore_index``.
        num_classes: K.
        ignore_index: Label of the pixels that do not count; at least K.
        num_predicted: C, where the prediction is in another label space than the truth; by default K.

    Returns:
        long [K, C]; rows are the truth, columns the prediction.

    Raises:
        DataError: A value outside its range, or different shapes.

    Examples:
        >>> import torch
        >>> joint_histogram(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 0, 1, 255]), num_classes=2)
        tensor([[1, 1],
                [0, 1]])
    """
    check_ignore_index(ignore_index, num_classes)
    if ignore_index > IGNORE_INDEX:
        void = label == ignore_index
        check_range('label', label.masked_fill(void, 0), num_classes - 1)
        label, ignore_index = label.masked_fill(void, num_classes), num_classes
    rows = ignore_index + 1  # every legal label gets a row: cheaper than masking the ignored pixels out first
    columns = num_classes if num_predicted is None else num_predicted
    histogram = pair_counts(label, prediction, (rows, columns), names=('label', 'predicted'))
    strangers = histogram[num_classes:ignore_index].any(1).nonzero()
    if strangers.numel():
        raise outside('label', num_classes + int(strangers[0]), num_classes - 1)
    return histogram[:num_classes]


def class_areas(prediction: Tensor, label: Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX) -> ClassAreas:
    """Reduce :func:`joint_histogram` to what :data:`FORMULAS` need; same arguments, same errors."""
    histogram = joint_histogram(prediction, label, num_classes, ignore_index)
    return ClassAreas(histogram.diagonal(), histogram.sum(0), histogram.sum(1))


def iou_scores(areas: ClassAreas) -> IoUScores:
    """Turn areas, summed over a whole dataset, into scores per class and their means over the classes that have one.

    Examples:
        >>> import torch
        >>> areas = class_areas(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 0, 1, 255]), num_classes=3)
        >>> iou_scores(areas).per_class['IoU']
        tensor([0.5000, 0.5000,    nan], dtype=torch.float64)
    """
    areas = ClassAreas(*(area.double() for area in areas))
    per_class = {name: formula(areas) for name, formula in FORMULAS.items()}
    means = {f'm{name}': fractions.nanmean() for name, fractions in per_class.items()}
    return IoUScores(per_class, {**means, 'aAcc': areas.intersect.sum() / areas.label.sum()})
