"""Differences of IoU of two models on the same images, and which of them chance does not explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student

from ..errors import DataError
from ..evaluation.resampling import times_drawn
from .pairing import LeftOut, Pair

RESAMPLES = 2000
Verdict = Literal['helped', 'hurt', 'undecided']
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A class under two models; IoU in percent.

    Attributes:
        dataset, name: The class.
        images: In how many images it stands.
        joint, single: IoU of the two models, the mean over seeds where there are several.
        low, high: Where 95 % of the differences lie when images are drawn again, and seeds where there are several.
        p: How likely chance alone makes a difference as large: the larger one of two answers. One is how often it comes
            about where the two models change places in each image by chance; that holds for a class in a few images
            too, where draws can hardly differ. The other is a t test with the spread of the draws, which knows how
            little few seeds say.
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


def differences(pair: Pair, resamples: int = RESAMPLES) -> tuple[list[Difference], list[LeftOut]]:
    """Compares two models class by class, by a bootstrap over images that is paired: both get the same draws.

    Where a model has several seeds, they are drawn again too, for each model by itself. A draw without a class counts
    as none.

    Args:
        pair: The two models on a dataset.
        resamples: How many draws; no p is below one in so many.

    Returns:
        The classes that stand in some image, and the others.

    Raises:
        DataError: Where the two are of other images, classes or truth.
    """
    _require_same_data(pair)
    truth = pair.joint[0].areas[..., 2].numpy()  # [n, K]
    there: NDArray[np.bool_] = truth.sum(0) > 0  # [K]
    if not there.any():
        return [], _left_out(pair, there)
    joint, single = (np.stack([own.areas.numpy()[:, there] for own in side]) for side in (pair.joint, pair.single))
    times = times_drawn(len(truth), resamples)  # [R, n]
    again = [_redrawn(side, times, place) for place, side in enumerate((joint, single))]  # [R, K] each
    apart = np.where(times @ truth[:, there] > 0, again[0] - again[1], np.nan)
    low, high = np.nanquantile(apart, [0.025, 0.975], axis=0)
    by_seed = [_iou(side.sum(1)) for side in (joint, single)]  # [S, K] each
    of_joint, of_single = (own.mean(0) for own in by_seed)
    p = np.maximum(_by_swaps(joint.mean(0), single.mean(0), resamples), _by_spread(by_seed, np.nanvar(apart, axis=0)))
    percent = [(100 * values).tolist() for values in (of_joint, of_single, low, high)]
    images = (truth[:, there] > 0).sum(0).tolist()
    names = [name for name, own in zip(pair.joint[0].classes, there, strict=True) if own]
    found = [Difference(pair.dataset, *told) for told in zip(names, images, *percent, p.tolist(), strict=True)]
    return found, _left_out(pair, there)


def _require_same_data(pair: Pair) -> None:
    first = pair.joint[0]
    for other in (*pair.joint, *pair.single):
        for what in ('classes', 'images'):
            if getattr(first, what) != getattr(other, what):
                raise DataError(
                    f'{pair.dataset}: the models were counted on different {what} ({len(getattr(first, what))} and '
                    f'{len(getattr(other, what))}); count all on the same data'
                )
        if not torch.equal(first.areas[..., 2], other.areas[..., 2]):
            raise DataError(f'{pair.dataset}: the truth of the models differs; count all on the same labels')


def _left_out(pair: Pair, there: NDArray[np.bool_]) -> list[LeftOut]:
    """The classes without truth, and whether somebody found them all the same."""
    sides = (('the joint model', pair.joint), ('the single one', pair.single))
    found = {who: torch.stack([own.areas[..., 1].sum(0) for own in side]).double().mean(0) for who, side in sides}
    told = []
    for label in np.flatnonzero(~there):
        finders = [f'by {who} in {pixels[label]:,.0f} pixels' for who, pixels in found.items() if pixels[label]]
        why = 'stands in none of the images' + (f'; found {", ".join(finders)}' if finders else '')
        told.append(LeftOut(pair.dataset, pair.joint[0].classes[label], why))
    return told


def _redrawn(side: NDArray[np.int64], times: NDArray[np.int64], stream: int) -> Floats:
    """The IoU of a model in each draw, ``[R, K]``, from the areas of its seeds ``[S, n, K, 3]``.

    Of S seeds, S - 1 are drawn with replacement, so that the mean varies as that of S trainings does; S of them would
    vary less (Rao and Wu, 1988).
    """
    (seeds, images), draws = side.shape[:2], len(times)
    again = np.stack([_iou((times @ own.reshape(images, -1)).reshape(draws, -1, 3)) for own in side])  # [S, R, K]
    if seeds == 1:
        return again[0]
    drawn = np.random.default_rng([images, stream]).integers(0, seeds, (draws, seeds - 1))
    return np.stack([again[own, np.arange(draws)] for own in drawn.T]).mean(0)


def _by_swaps(joint: Floats, single: Floats, resamples: int) -> Floats:
    """How often a difference as large comes about where two models change places in each image, ``[K]``.

    Args:
        joint, single: Areas ``[n, K, 3]``, the mean over seeds.
        resamples: How many times they do.
    """
    images = len(joint)
    swapped = np.random.default_rng(images + 1).integers(0, 2, (resamples, images)).astype(float)  # [R, n]
    turned = (swapped @ (single - joint).reshape(images, -1)).reshape(resamples, *joint.shape[1:])
    by_chance = np.abs(_iou(joint.sum(0) + turned) - _iou(single.sum(0) - turned))  # [R, K]
    there = np.abs(_iou(joint.sum(0)) - _iou(single.sum(0)))
    return (1 + (by_chance >= there - 1e-12).sum(0)) / (1 + resamples)


def _by_spread(by_seed: Sequence[Floats], variance: Floats) -> Floats:
    """Welch's t test of the mean difference, ``[K]``.

    Images are many, so their part of the variance is taken for known; that of S seeds has S - 1 degrees of freedom
    (Welch, 1947; Satterthwaite, 1946). With one seed of both models it is a test against the normal distribution.

    Args:
        by_seed: The IoU of each seed of the two models, ``[S, K]`` each.
        variance: Of the drawn differences, ``[K]``.
    """
    gain = np.abs(by_seed[0].mean(0) - by_seed[1].mean(0))
    doubt = np.zeros_like(gain)
    for own in by_seed:
        if (seeds := len(own)) > 1:
            doubt += (own.var(0, ddof=1) / seeds) ** 2 / (seeds - 1)
    with np.errstate(divide='ignore', invalid='ignore'):
        p = 2 * student.sf(gain / np.sqrt(variance), variance**2 / doubt)
    return np.where(gain == 0, 1.0, np.nan_to_num(p))  # nan where nothing varies


def _iou(areas: NDArray[np.float64 | np.int64]) -> Floats:
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
        replace(own, verdict=('helped' if own.gain > 0 else 'hurt') if i in sure else 'undecided')
        for i, own in enumerate(found)
    ]
