"""Resampled scores, intervals and deviations against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch

from mmlmseg.evaluation import SemanticIoU
from mmlmseg.lab.benchmark.statistics import (
    NUM_RESAMPLES,
    deviation,
    interval,
    over_seeds,
    resampled_scores,
)


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


def test_where_seeds_alone_count_it_is_the_paired_t_test() -> None:
    own, other = np.random.default_rng(0).normal(1, 2, (2, 4))
    expected = scipy.stats.ttest_rel(own, other)
    low, high, p = over_seeds(own - other, np.repeat((own - other)[:, None], 7, 1))
    assert p == pytest.approx(expected.pvalue)
    assert (low, high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_where_images_alone_count_it_is_the_normal_one() -> None:
    random = np.random.default_rng(0)
    low, high, p = over_seeds(np.array([1.0, 1.0, 1.0]), np.tile(random.normal(1, 0.5, 4000), (3, 1)))
    assert (low, high) == pytest.approx((1 - 1.96 * 0.5, 1 + 1.96 * 0.5), abs=0.03)
    assert p == pytest.approx(0.0455, abs=0.005)


def test_without_any_spread_only_zero_is_no_difference() -> None:
    assert over_seeds(np.zeros(2), np.zeros((2, 3))) == (0.0, 0.0, 1.0)
    assert over_seeds(np.full(2, 0.5), np.full((2, 3), 0.5)) == (0.5, 0.5, 0.0)


@pytest.mark.parametrize('seeds', [2, 3, 10])
@pytest.mark.parametrize('images', [0.1, 0.5, 1.0, 3.0])
def test_methods_that_do_not_differ_rarely_seem_to(seeds: int, images: float) -> None:
    """However much more or less images move a difference than seeds do, p is below 0.05 in one comparison of twenty."""
    random, found = np.random.default_rng(0), []
    for _ in range(1000):
        observed = random.normal(size=(seeds, 1)) + images * random.normal()
        again = observed + images * random.normal(size=NUM_RESAMPLES)
        found.append(over_seeds(observed[:, 0], again)[2] < 0.05)
    assert 0.03 <= np.mean(found) <= (0.11 if seeds == 2 else 0.07)
