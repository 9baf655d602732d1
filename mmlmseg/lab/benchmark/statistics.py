"""Resampled scores, and what their differences tell of two methods."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ...evaluation.resampling import times_drawn

NUM_RESAMPLES = 200
NUM_SEED_DRAWS = 2000


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


def resampled_means(differences: np.ndarray) -> np.ndarray:
    """Means over seeds and images that are both drawn again, by the hierarchical bootstrap.

    Each draw takes as many seeds as there are, with replacement, and one of the resampled sets of images. Images are
    the same for all seeds, so all seeds of a draw are read on one set: were they drawn for each seed anew, the chance
    of the images would seem to shrink with every seed. Seeds and images are drawn independently of each other, after
    Owen, *The pigeonhole bootstrap* (Annals of Applied Statistics 1, 2007); Davison and Hinkley, *Bootstrap methods and
    their application* (1997), section 3.8, has the hierarchy.

    **With few seeds it tells little.** The drawn means of S seeds spread by the square root of (S - 1) / S of what the
    seeds themselves do (0.82 for three), and their quantiles are those of a handful of values. So intervals are too
    narrow and p values too small: of methods that do not differ, three seeds give p < 0.05 in a fifth of comparisons
    where seeds move a difference ten times as much as images do, ten seeds in 7 %; where both move it as much, three
    seeds give it in 4 % (simulated in ``tests/lab/benchmark/test_statistics.py``). Look at the differences of the
    single seeds as well.

    Args:
        differences: Of two methods with the same seeds, on the same resampled sets of images: [S, R].

    Returns:
        Of one seed its R differences, else all R of each of ``NUM_SEED_DRAWS`` draws of seeds, [NUM_SEED_DRAWS * R].
    """
    seeds = len(differences)
    if seeds == 1:
        return differences[0]
    drawn = np.random.default_rng(seeds).integers(0, seeds, (NUM_SEED_DRAWS, seeds))
    times = np.stack([np.bincount(draw, minlength=seeds) for draw in drawn])
    return (times / seeds @ differences).ravel()


def p_value(resampled: np.ndarray, resamples: int = NUM_RESAMPLES) -> float:
    """Two-sided p value of a mean difference: how far into its resampled means zero lies.

    Twice the smaller share of the means that are not above, or not below, zero (Efron and Tibshirani, *An introduction
    to the bootstrap*, 1993, section 15.4). The observed set of images counts as one of the draws, so that it is never
    below 2 / (resamples + 1): more cannot be told from so many.

    Example:
        >>> round(p_value(np.array([1.0, 2.0, 3.0]), 3), 2)
        0.5
    """
    share = min((resampled <= 0).mean(), (resampled >= 0).mean())
    return min(1.0, float(2 * (1 + resamples * share) / (resamples + 1)))


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
