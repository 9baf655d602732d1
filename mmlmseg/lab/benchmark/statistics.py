"""Resampled scores and their intervals."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import numpy as np
import torch
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
