"""Differences of IoU of two models on the same images, and which of them chance does not explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import DataError
from .counts import ImageCounts

RESAMPLES = 2000
Verdict = Literal['helped', 'hurt', 'undecided']


@dataclass(frozen=True)
class Difference:
    """A class under two models; IoU in percent.

    Attributes:
        dataset, name: The class.
        images: In how many images it stands.
        joint, single: IoU of the two models.
        low, high: Where 95 % of the differences lie when images are drawn again.
    p: How often a difference as large comes about where the two models change places in each image by chance. Unlike
        the interval, it holds for a class in a few images too, where draws can hardly differ.
        verdict: Helped or hurt, where that is decided beside all other classes (:func:`decided`).
    """

    dataset: str
    name: str
    images: int
    joint: float
    single: float
    low: float
    high: float
    p: float
    verdict: Verdict = 'undecided'

    @property
    def gain(self) -> float:
        """IoU of the joint model less that of the single one."""
        return self.joint - self.single


def differences(joint: ImageCounts, single: ImageCounts, resamples: int = RESAMPLES) -> list[Difference]:
    """Compares two models class by class, by a bootstrap over images that is paired: both get the same draws.

    A class that has no IoU under one of the models, as it stands in no image and is not found, has no row. A draw
    without a class counts as none.

    Args:
        joint, single: The two models.
        resamples: How many draws; no p is below one in so many.

    Raises:
        DataError: Where the two are of other images, classes or truth.
    """
    if joint.classes != single.classes or joint.images != single.images:
        what = 'classes' if joint.classes != single.classes else 'images'
        raise DataError(
            f'{joint.dataset}: the two models were counted on different {what} ({len(getattr(joint, what))} and '
            f'{len(getattr(single, what))}); count both on the same data'
        )
    if not torch.equal(joint.areas[..., 2], single.areas[..., 2]):
        raise DataError(f'{joint.dataset}: the truth of the two models differs; count both on the same labels')
    count = len(joint.images)
    drawn = np.random.default_rng(count).integers(0, count, (resamples, count))
    times = np.stack([np.bincount(draw, minlength=count) for draw in drawn]).astype(float)  # [R, n]
    areas = [own.areas.numpy().astype(float) for own in (joint, single)]  # [n, K, 3] each
    whole = [_iou(own.sum(0)) for own in areas]  # [K] each
    swapped = np.random.default_rng(count + 1).integers(0, 2, (resamples, count)).astype(float)  # [R, n]
    turned = np.einsum('rn,nkc->rkc', swapped, areas[1] - areas[0])
    by_chance = np.abs(_iou(areas[0].sum(0) + turned) - _iou(areas[1].sum(0) - turned))  # [R, K]
    again = [_iou(np.einsum('rn,nkc->rkc', times, own)) for own in areas]  # [R, K] each
    found = []
    for k, name in enumerate(joint.classes):
        apart = again[0][:, k] - again[1][:, k]
        apart = apart[~np.isnan(apart)]
        if np.isnan(whole[0][k]) or np.isnan(whole[1][k]) or not len(apart):
            continue
        low, high = np.quantile(apart, [0.025, 0.975])
        as_large = int((by_chance[:, k] >= abs(whole[0][k] - whole[1][k]) - 1e-12).sum())
        found.append(
            Difference(
                joint.dataset,
                name,
                int((areas[0][:, k, 2] > 0).sum()),
                100 * float(whole[0][k]),
                100 * float(whole[1][k]),
                100 * float(low),
                100 * float(high),
                (1 + as_large) / (1 + resamples),
            )
        )
    return found


def _iou(areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """From ``[..., 3]``; nan where a class is neither there nor found."""
    both, found, true = np.moveaxis(areas, -1, 0)
    union = found + true - both
    return np.divide(both, union, out=np.full(union.shape, np.nan), where=union > 0)


def decided(found: Sequence[Difference], rate: float = 0.05) -> list[Difference]:
    """Tells what was helped and what hurt, so that of all that is told so a share of ``rate`` is wrong on average.

    Benjamini and Hochberg, 1995: of m values of p in ascending order, those up to the last that is at most its place
    times ``rate`` over m.
    """
    order = sorted(range(len(found)), key=lambda i: found[i].p)
    last = max((place for place, i in enumerate(order, 1) if found[i].p <= place * rate / len(found)), default=0)
    sure = set(order[:last])
    return [
        Difference(**{**vars(own), 'verdict': ('helped' if own.gain > 0 else 'hurt') if i in sure else 'undecided'})
        for i, own in enumerate(found)
    ]
