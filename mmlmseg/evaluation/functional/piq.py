"""Panoptic instance quality: panoptic quality of masks that may overlap.

RESI (Zhangli et al., 2024) published the name of the metric and that it blends panoptic and instance segmentation; of
its formula nothing is public to us. This is our reconstruction: the sum and the rules of panoptic quality, with a
matching that stays one-to-one where masks of a class overlap. Where none do, it is panoptic quality.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ...errors import DataError, OptionError
from .histogram import check_range
from .mask_areas import areas as count
from .mask_areas import packed, shared_areas
from .panoptic import PanopticCounts, SegmentAreas, count_matches, matching_ious

Matching = Literal['greedy', 'optimal']


def piq_counts(
    prediction: Tensor,
    prediction_labels: Tensor,
    scores: Tensor,
    truth: Tensor,
    truth_labels: Tensor,
    crowd: Tensor,
    void: Tensor,
    group_of_class: Tensor,
    matching: Matching = 'greedy',
) -> PanopticCounts:
    """Match the masks of an image, which may overlap on both sides.

    A predicted and a true mask of one class can match where their IoU is above 0.5, each of them once. ``'greedy'``
    goes by descending score, as in average precision: a prediction takes the true mask left that it fits best.
    ``'optimal'`` maximises the sum of IoU, the most that a choice of matches can give.

    Void and crowd follow the rules of :func:`panoptic_counts`, with void by groups of classes, the label spaces: a
    pixel that one space leaves unlabelled says nothing of the others.

    Args:
        prediction: bool [P, H, W].
        prediction_labels: long [P].
        scores: [P]; of equal ones the earlier goes first.
        truth: bool [T, H, W].
        truth_labels: long [T].
        crowd: bool [T], whether a true mask stands for a crowd.
        void: bool [G, H, W], where the truth of each group is unknown.
        group_of_class: long [K].
        matching: How to choose among the pairs that can match.

    Returns:
        Counts per class [K], on the device of the masks, for :func:`panoptic_scores`.

    Raises:
        DataError: A label that is no class, a class whose group has no void, a true mask on void of its group, a score
            that is not finite, masks that are not bool, or sizes that differ.
        OptionError: An unknown ``matching``.

    Examples:
        >>> truth = torch.tensor([[[1, 1, 1, 0]], [[0, 1, 1, 1]]]).bool()  # a person and a face, say
        >>> classes, nowhere = torch.tensor([0, 1]), torch.zeros(2, 1, 4, dtype=torch.bool)
        >>> piq_counts(truth, classes, torch.ones(2), truth, classes, torch.zeros(2).bool(), nowhere, classes).iou
        tensor([1., 1.], dtype=torch.float64)
    """
    check_matching(matching)
    num_classes = len(group_of_class)
    check_range('group of a class:', group_of_class, len(void) - 1)
    check_range('class of a predicted mask:', prediction_labels, num_classes - 1)
    check_range('class of a true mask:', truth_labels, num_classes - 1)
    _check_sizes(prediction, truth, void)
    _check_lengths('predicted', prediction, {'labels': prediction_labels, 'scores': scores})
    _check_lengths('true', truth, {'labels': truth_labels, 'crowd flags': crowd})
    if not scores.isfinite().all():
        raise DataError('the score of a predicted mask is not a finite number.')
    bits, true_bits, void_bits = packed(prediction), packed(truth), packed(void)
    true_groups = group_of_class[truth_labels].cpu().numpy()
    _check_truth_off_void(true_bits, truth_labels, crowd, void_bits[true_groups])

    regions, region_of_class = _unjudged(true_bits, truth_labels, crowd, void_bits, group_of_class)
    shared = torch.from_numpy(shared_areas(np.concatenate([true_bits, regions]), bits)).to(prediction.device)
    overlap, inside = shared.split([len(truth), len(regions)])  # [T, P], [R, P]
    own = torch.arange(len(prediction), device=prediction.device)
    areas = SegmentAreas(
        overlap,
        torch.from_numpy(count(true_bits)).to(prediction.device),
        torch.from_numpy(count(bits)).to(prediction.device),
        void=inside[group_of_class[prediction_labels], own],
        excused=inside[region_of_class[prediction_labels], own],
    )
    iou = matching_ious(areas, (truth_labels[:, None] == prediction_labels) & ~crowd[:, None])  # [T, P]
    table = iou.cpu().numpy()
    match = _optimal(table) if matching == 'optimal' else _greedy(table, scores.double().cpu().numpy())
    iou = iou * torch.from_numpy(match).to(iou.device)
    return count_matches(iou, areas, prediction_labels, truth_labels, crowd, num_classes)


def check_matching(matching: str) -> None:
    """Makes sure that there is such a matching; a OptionError names those there are."""
    if matching not in ('greedy', 'optimal'):
        raise OptionError(f'matching must be "greedy" or "optimal", got {matching!r}')


def _unjudged(
    truth: np.ndarray, truth_labels: Tensor, crowd: Tensor, void: np.ndarray, group_of_class: Tensor
) -> tuple[np.ndarray, Tensor]:
    """Where a prediction is no error: packed regions [R, words], void of each group first; that of each class [K]."""
    region_of_class, regions = group_of_class.clone(), [*void]
    for number, label in enumerate(truth_labels[crowd].unique(), start=len(void)):
        own = (crowd & (truth_labels == label)).cpu().numpy()
        regions.append(np.bitwise_or.reduce(truth[own]) | void[int(group_of_class[label])])
        region_of_class[label] = number
    return np.stack(regions), region_of_class


def _greedy(iou: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Which pairs match, bool [T, P], where the surest prediction chooses first."""
    left, match = iou.copy(), np.zeros(iou.shape, dtype=bool)
    for column in np.argsort(-scores, kind='stable'):
        if left[:, column].any():
            row = left[:, column].argmax()
            match[row, column] = True
            left[row] = 0
    return match


def _optimal(iou: np.ndarray) -> np.ndarray:
    """Which pairs match, bool [T, P], for the largest sum of IoU."""
    match = np.zeros(iou.shape, dtype=bool)
    match[linear_sum_assignment(iou, maximize=True)] = True
    return match


def _check_sizes(prediction: Tensor, truth: Tensor, void: Tensor) -> None:
    for name, masks in (('predicted masks', prediction), ('true masks', truth), ('void', void)):
        if masks.dtype != torch.bool or masks.ndim != 3:
            raise DataError(f'{name} must be bool [n, H, W], not {masks.dtype} {list(masks.shape)}.')
        if masks.shape[1:] != void.shape[1:]:
            raise DataError(f'{name} {list(masks.shape[1:])} and void {list(void.shape[1:])} differ in size.')


def _check_lengths(name: str, masks: Tensor, columns: dict[str, Tensor]) -> None:
    for what, values in columns.items():
        if values.shape != masks.shape[:1]:
            raise DataError(f'{tuple(values.shape)} {what} for {len(masks)} {name} masks.')


def _check_truth_off_void(truth: np.ndarray, truth_labels: Tensor, crowd: Tensor, void: np.ndarray) -> None:
    """``void`` [T, words] is that of each true mask; crowds, which only excuse, may lie on it."""
    covered = np.where(crowd.cpu().numpy(), 0, count(truth & void))  # [T]
    if covered.any():
        worst = int(covered.argmax())
        raise DataError(
            f'true mask {worst} of class {int(truth_labels[worst])} covers {int(covered[worst])} pixels that are void, '
            'unlabelled, in the group of its class. Is void in the order of the groups?'
        )
