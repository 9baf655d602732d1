"""Panoptic quality (Kirillov et al., CVPR 2019) by COCO's rules, from one joint histogram of segments.

The rules are those of COCO's panopticapi, with two differences. Of several crowd segments of one class in an image all
can excuse a prediction, there only the one listed last. A listed segment that owns no pixel (a crop may take them)
counts nowhere; there it is missed where it is true, and an error where it is predicted.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ...errors import DataError
from ...segments import IGNORE_INDEX
from .histogram import check_ignore_index, check_range, pair_counts


class PanopticCounts(NamedTuple):
    """What panoptic quality needs per class, [K] each. Counts of several images simply add."""

    iou: Tensor  # double: the IoU of the true positives, summed
    true_positive: Tensor  # long
    false_positive: Tensor
    false_negative: Tensor


class SegmentAreas(NamedTuple):
    """How many pixels the T true and the P predicted segments of an image own and share, long."""

    overlap: Tensor  # [T, P]
    truth: Tensor  # [T]
    prediction: Tensor  # [P]
    void: Tensor  # [P]: where the truth is void
    excused: Tensor  # [P]: where it is void or a crowd of the same class


class PanopticScores(NamedTuple):
    """Fractions in [0, 1], double: per class [K] or a mean over classes []."""

    pq: Tensor
    sq: Tensor
    rq: Tensor


def panoptic_counts(
    prediction: Tensor,
    prediction_labels: Tensor,
    truth: Tensor,
    truth_labels: Tensor,
    crowd: Tensor,
    num_classes: int,
) -> PanopticCounts:
    """Match the segments of an image.

    A predicted and a true segment of one class match where their IoU is above 0.5; void pixels of the truth belong to
    no union, crowd segments match nothing and are never missed. An unmatched prediction is no false positive where
    void and crowd segments of its class cover more than half of it.

    Args:
        prediction: Integers [H, W]: 0 is void, i the segment of label i - 1. Any shape will do.
        prediction_labels: long [P], the class of each predicted segment. A class may have any number.
        truth: Like ``prediction``.
        truth_labels: long [T], the class of each true segment.
        crowd: bool [T], whether a true segment stands for a crowd.
        num_classes: K.

    Returns:
        Counts per class, on the device of the maps.

    Raises:
        DataError: A segment that has no label, a label that is no class, or sizes that differ.

    Examples:
        >>> truth, prediction = torch.tensor([[1, 1, 1, 0, 2]]), torch.tensor([[1, 1, 2, 2, 0]])
        >>> classes = torch.tensor([1, 0])
        >>> panoptic_counts(prediction, classes, truth, classes, torch.tensor([False, False]), num_classes=2).iou
        tensor([0.0000, 0.6667], dtype=torch.float64)
    """
    check_range('class of a predicted segment:', prediction_labels, num_classes - 1)
    check_range('class of a true segment:', truth_labels, num_classes - 1)
    if crowd.shape != truth_labels.shape:
        raise DataError(f'{len(crowd)} crowd flags for {len(truth_labels)} true segments.')
    size = (len(truth_labels) + 1, len(prediction_labels) + 1)
    histogram = pair_counts(truth, prediction, size, names=('true segment', 'predicted segment'))

    void, overlap = histogram[0, 1:], histogram[1:, 1:]  # [P], [T, P]
    same_class = truth_labels[:, None] == prediction_labels
    excused = void + (overlap * (same_class & crowd[:, None])).sum(0)
    areas = SegmentAreas(overlap, histogram[1:].sum(1), histogram[:, 1:].sum(0), void, excused)
    # Where segments do not overlap, all that can match do: above an IoU of one half, a segment has one partner at most.
    iou = matching_ious(areas, same_class & ~crowd[:, None])
    return count_matches(iou, areas, prediction_labels, truth_labels, crowd, num_classes)


def matching_ious(areas: SegmentAreas, may_match: Tensor) -> Tensor:
    """The IoU of the pairs that can match, double [T, P], with void left out of the unions.

    It is 0 where it would be one half or less, and where pairs may not match (bool [T, P]): of different classes, or a
    crowd.
    """
    union = areas.truth[:, None] + areas.prediction - areas.overlap - areas.void  # [T, P]
    # Compared in whole numbers, an IoU of one half is no match.
    return torch.where(may_match & (2 * areas.overlap > union), areas.overlap.double() / union, 0.0)


def count_matches(
    iou: Tensor,
    areas: SegmentAreas,
    prediction_labels: Tensor,
    truth_labels: Tensor,
    crowd: Tensor,
    num_classes: int,
) -> PanopticCounts:
    """Count the matches of an image per class, and what is left over on both sides.

    Args:
        iou: double [T, P]: the IoU of the pairs that match, 0 elsewhere; one pair at most in a row or a column.
        areas: Of the image.
        prediction_labels, truth_labels, crowd, num_classes: As of :func:`panoptic_counts`.
    """
    match = iou > 0
    false_positive = ~match.any(0) & (areas.prediction > 0) & (2 * areas.excused <= areas.prediction)
    false_negative = ~match.any(1) & (areas.truth > 0) & ~crowd
    matched_labels = truth_labels[match.nonzero()[:, 0]]
    total = torch.zeros(num_classes, dtype=torch.double, device=iou.device)
    return PanopticCounts(
        total.index_add_(0, matched_labels, iou[match]),
        torch.bincount(matched_labels, minlength=num_classes),
        torch.bincount(prediction_labels[false_positive], minlength=num_classes),
        torch.bincount(truth_labels[false_negative], minlength=num_classes),
    )


def panoptic_scores(counts: PanopticCounts) -> PanopticScores:
    """Turn counts, summed over a whole dataset, into scores per class [K].

    They are nan for a class without any segment that counts. A class without a match has SQ 0, which counts in the
    means as in panopticapi.

    Examples:
        >>> one, none = torch.tensor([1, 0]), torch.tensor([0, 0])
        >>> panoptic_scores(PanopticCounts(torch.tensor([0.8, 0.0]), one, 2 * one, none)).pq
        tensor([0.4000,    nan], dtype=torch.float64)
    """
    iou, matched, wrong, missed = (count.double() for count in counts)
    segments = matched + (wrong + missed) / 2
    sq = iou / matched.clamp(min=1)
    return PanopticScores(iou / segments, sq.where(segments > 0, torch.nan), matched / segments)


def mean_scores(scores: PanopticScores, classes: Tensor) -> PanopticScores:
    """Mean over those of some ``classes``, bool [K], that have a score; nan where none has any."""
    return PanopticScores(*(score[classes].nanmean() for score in scores))


def class_segments(label: Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Panoptic truth of a dataset that has no things: every class is one segment.

    Class ids of any shape, in [0, K) or ``ignore_index`` (void; at least K), become int32 segment ids: 0 is void, i the
    class i - 1.
    """
    check_ignore_index(ignore_index, num_classes)
    void = label == ignore_index
    check_range('label', label.masked_fill(void, 0), num_classes - 1)
    return (label.to(torch.int32) + 1).masked_fill_(void, 0)
