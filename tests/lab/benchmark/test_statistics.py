"""Resampled scores, intervals and deviations against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mmlmseg.evaluation import SemanticIoU
from mmlmseg.lab.benchmark.statistics import NUM_RESAMPLES, deviation, interval, resampled_scores


def test_resamples_equal_repeated_images() -> None:
    """Every entry is the score of a set of as many images, in which some stand several times."""
    per_image = torch.randint(0, 50, (9, 3, 4))
    per_image[:, 1:] += per_image[:, :1]  # a class meets itself in no more pixels than it has
    draws = np.random.default_rng(9).integers(0, 9, (NUM_RESAMPLES, 9))
    metric = SemanticIoU()
    expected = [metric.headline(torch.stack([per_image[i] for i in draw]).sum(0)) for draw in draws.tolist()]
    found = resampled_scores(per_image, metric.headline)
    assert found == expected
    assert len(set(found)) > NUM_RESAMPLES // 2


def test_counts_beyond_float32_stay_exact() -> None:
    images = torch.full((3, 1), 2**24 + 1)
    assert set(resampled_scores(images, float, count=5)) == {3.0 * (2**24 + 1)}


def test_interval_holds_its_share() -> None:
    values = np.random.default_rng(0).normal(3, 2, 4001)
    low, high = interval(values)
    assert np.mean((values >= low) & (values <= high)) == pytest.approx(0.95, abs=0.001)
    assert np.sum(values < low) == np.sum(values > high) == 100
    assert interval([5.0]) == (5.0, 5.0)


def test_deviation_is_that_of_a_sample() -> None:
    assert deviation([1.0, 2.0, 6.0]) == pytest.approx(math.sqrt(7.0))
    assert deviation([4.0]) is None
