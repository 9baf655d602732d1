"""Average precision of masks by COCO's rules, to the last digit of pycocotools', and by LVIS', to the last of lvis'.

What an image says is a few numbers a prediction (:func:`match_masks`); the rest is sorting (:func:`precisions`). Other
than pycocotools this keeps no masks, and matches in all areas and at all IoUs at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

IOUS = np.linspace(0.5, 0.95, 10)
"""From which IoU on a prediction is right."""

RECALLS = np.linspace(0, 1, 101)
"""Where precision is read."""

AREAS = {'all': (0.0, 1e10), 'small': (0.0, 32.0**2), 'medium': (32.0**2, 96.0**2), 'large': (96.0**2, 1e10)}
"""Of things that count, in pixels; both ends belong to a range."""

MOST = 100
"""Predictions of a class and image that count, the surest ones."""

MOST_FEDERATED = 300
"""Predictions of an image, of all classes together, that count where labels are federated."""


@dataclass(frozen=True)
class MatchedMasks:
    """What is left of an image once its P predictions are compared with its truth: A ranges of area, I IoUs."""

    labels: np.ndarray  # [P], in descending order of scores
    scores: np.ndarray  # [P]
    right: np.ndarray  # [P, A, I] bool: matches a true mask that counts
    ignored: np.ndarray  # [P, A, I] bool: neither right nor wrong
    truths: np.ndarray  # [A, K]: the true masks that count
    given: int  # the predictions of the image before any was left out


def match_masks(
    iou: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    area: np.ndarray,
    true_labels: np.ndarray,
    crowd: np.ndarray,
    true_area: np.ndarray,
    num_classes: int,
    most: int = MOST,
    unmarked: Sequence[int] = (),
) -> MatchedMasks:
    """Matches the masks of an image, the surest first, each with the true mask of its class that it fits best.

    Crowds and masks outside a range of area match what nothing else matches, and excuse it; a crowd any number of
    times.

    Args:
        iou: [P, T]; over the area of the prediction alone where the truth is a crowd. Where classes differ it is not
            read.
        labels: [P], of the predictions.
        scores: [P].
        area: [P], in pixels.
        true_labels: [T].
        crowd: bool [T].
        true_area: [T].
        num_classes: K.
        most: Predictions of a class that count.
        unmarked: Classes that have further objects which nobody marked: what matches nothing is not wrong.
    """
    given, order = len(labels), _surest(labels, scores, most)
    iou, labels, scores, area = iou[order], labels[order], scores[order], area[order]
    low, high = np.array(list(AREAS.values())).T[..., None]  # [A, 1]
    counts = ~crowd & (true_area >= low) & (true_area <= high)  # [A, T]
    shape = (len(labels), len(low), len(IOUS))
    right, excused = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    left = np.ones((len(low), len(IOUS), len(crowd)), dtype=bool)  # [A, I, T]
    near = (labels[:, None] == true_labels) & (iou >= IOUS[0])  # [P, T]
    for p in near.any(1).nonzero()[0]:
        own = near[p].nonzero()[0]  # [t]
        fits = left[:, :, own] & (iou[p, own] >= IOUS[:, None])  # [A, I, t]
        real = fits & counts[:, None, own]
        fits = np.where(real.any(-1, keepdims=True), real, fits)  # what counts comes before what does not
        last = len(own) - 1 - np.where(fits, iou[p, own], -1.0)[..., ::-1].argmax(-1)  # [A, I]: of equal ones the last
        matched = fits.any(-1)
        chosen = own[last]
        right[p] = matched & np.take_along_axis(counts, chosen, axis=1)
        excused[p] = matched & ~right[p]
        a, i = (matched & ~crowd[chosen]).nonzero()
        left[a, i, chosen[a, i]] = False
    outside = ((area[:, None] < low[:, 0]) | (area[:, None] > high[:, 0]))[..., None]  # [P, A, 1]
    truths = np.stack([np.bincount(true_labels[own], minlength=num_classes) for own in counts])
    may_be_right = outside | np.isin(labels, unmarked)[:, None, None]
    return MatchedMasks(labels, scores, right, excused | (may_be_right & ~right), truths, given)


def looked_for(labels: np.ndarray, scores: np.ndarray, searched: Sequence[int], most: int) -> np.ndarray:
    """The places of the predictions of an image that count where it is labelled for some classes only.

    Of the surest ones, whatever their class, those of a class that somebody looked for.

    Args:
        labels: [P].
        scores: [P].
        searched: The classes.
        most: How many of the surest.
    """
    surest = np.argsort(-scores, kind='stable')[:most]
    return surest[np.isin(labels[surest], searched)]


def _surest(labels: np.ndarray, scores: np.ndarray, most: int) -> np.ndarray:
    """The predictions in descending order of scores, of each class the first ``most``."""
    order = np.argsort(-scores, kind='stable')
    by_class = order[np.argsort(labels[order], kind='stable')]
    ordered = labels[by_class]
    place = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)  # within its class
    kept = np.zeros(len(order), dtype=bool)
    kept[by_class[place < most]] = True
    return order[kept[order]]


class Cut(NamedTuple):
    """True masks that no prediction can find, since an image may have no more of them."""

    masks: int
    images: int


def cut_by_class(images: Sequence[MatchedMasks], most: int = MOST) -> Cut:
    """What is out of reach where predictions of a class and image count up to a limit."""
    return _cut([int((image.truths[0] - most).clip(min=0).sum()) for image in images])


def cut_by_image(images: Sequence[MatchedMasks], most: int) -> Cut:
    """What is out of reach where an image has so many predictions at most, of all classes together."""
    return _cut([max(int(image.truths[0].sum()) - most, 0) for image in images])


def _cut(masks: Sequence[int]) -> Cut:
    return Cut(sum(masks), sum(count > 0 for count in masks))


def precisions(images: Sequence[MatchedMasks]) -> np.ndarray:
    """Precision at each recall, double [A, K, I, R]; nan where a class has no truth that counts.

    Of equal scores those of earlier images come first.
    """
    labels, scores, right, ignored = (
        np.concatenate([getattr(image, name) for image in images]) for name in ('labels', 'scores', 'right', 'ignored')
    )
    truths = np.sum([image.truths for image in images], axis=0)  # [A, K]
    order = np.argsort(-scores, kind='stable')
    order = order[np.argsort(labels[order], kind='stable')]
    found = np.full((*truths.shape, len(IOUS), len(RECALLS)), np.nan)
    for label, own in zip(*_runs(labels[order], order), strict=True):
        wrong = ~right[own] & ~ignored[own]  # [p, A, I]
        hits, misses = right[own].cumsum(0, dtype=float), wrong.cumsum(0, dtype=float)
        precision = hits / (hits + misses + np.spacing(1))
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        for a in truths[:, label].nonzero()[0]:
            recall = hits[:, a] / truths[a, label]  # [p, I]
            for i in range(len(IOUS)):
                place = np.searchsorted(recall[:, i], RECALLS)
                reached = place < len(own)
                found[a, label, i] = 0
                found[a, label, i, reached] = precision[place[reached], a, i]
    unseen = np.setdiff1d(np.arange(truths.shape[1]), labels)
    found[:, unseen] = np.where(truths[:, unseen, None, None] > 0, 0.0, np.nan)
    return found


def _runs(labels: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The classes of sorted labels, and what of ``order`` belongs to each."""
    classes, starts = np.unique(labels, return_index=True)
    return classes, np.split(order, starts[1:]) if len(classes) else []
