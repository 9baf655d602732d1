"""Resampled scores, and what their differences tell of two methods."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.special import stdtr, stdtrit
from torch import Tensor

from ...evaluation.resampling import times_drawn

NUM_RESAMPLES = 200


def resampled_scores(per_image: Tensor, score: Callable[[Tensor], float], count: int = NUM_RESAMPLES) -> list[float]:
    """Scores a dataset again and again, with images drawn from it with replacement.

    Entry i belongs to the same images whatever was evaluated on them (:func:`times_drawn`), so differences of two
    models' entries are paired. Scores are rounded to two decimals.

    Args:
        per_image: Of each image, what adds up over images: [n, ...].
        score: From the sum [...] to the headline score.
        count: How many scores.
    """
    times = torch.from_numpy(times_drawn(len(per_image), count))  # [count, n]
    totals = times.double() @ per_image.flatten(1).double()
    return [round(score(total), 2) for total in totals.unflatten(1, per_image.shape[1:])]


def over_seeds(differences: np.ndarray, resampled: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """What another training on other images may say of a mean difference: Student's t over seeds and images.

    Two things move the mean of S seeds: the seeds, by their variance / S, and the images that all of them share, by the
    variance of the resampled means. Their sum has the degrees of freedom of Welch and Satterthwaite: S - 1 where seeds
    move it most, without end where images do (Satterthwaite, *An approximate distribution of estimates of variance
    components*, Biometrics Bulletin 2, 1946).

    A bootstrap that draws the seeds again would not do for a few: of methods that do not differ, it finds p < 0.05 in a
    fifth of the comparisons of three seeds that move a difference ten times as much as images do. This one finds it in
    4 to 7 %, of two seeds in up to 10 % (both simulated; the latter in ``tests/lab/benchmark/test_statistics.py``). The
    price is width: with three seeds the interval is the mean and 2.5 of their standard deviations to each side.

    Args:
        differences: Of two methods with the same seeds, [S], two at least.
        resampled: The same on resampled sets of images, which are the same for all seeds: [S, R].
        level: Of the interval.

    Returns:
        The interval of the difference, low and high, and its two-sided p value.
    """
    seeds = len(differences)
    of_seeds, of_images = differences.var(ddof=1) / seeds, resampled.mean(0).var(ddof=1)
    both = of_seeds + of_images
    mean = float(differences.mean())
    if not both:  # all seeds agree, on all images
        return mean, mean, float(mean == 0)
    freedom = (seeds - 1) * (both / of_seeds) ** 2 if of_seeds else np.inf
    error = float(np.sqrt(both))
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    return mean - half, mean + half, float(2 * stdtr(freedom, -abs(mean) / error))


def interval(differences: Sequence[float] | np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The central interval that holds a share of resampled differences.

    Example:
        >>> interval([float(i) for i in range(101)], 0.5)
        (25.0, 75.0)
    """
    low, high = np.quantile(np.asarray(differences), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def deviation(values: Sequence[float]) -> float | None:
    """The standard deviation of a sample; None for a single value."""
    return statistics.stdev(values) if len(values) > 1 else None
