"""Resampled scores, intervals and deviations against brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from mmlmseg.evaluation import SemanticIoU
from mmlmseg.lab.benchmark.statistics import (
    NUM_RESAMPLES,
    NUM_SEED_DRAWS,
    deviation,
    interval,
    p_value,
    resampled_means,
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


@pytest.mark.parametrize('seeds', [2, 3, 5])
def test_means_of_drawn_seeds_on_drawn_images(seeds: int) -> None:
    """As many seeds as there are, with replacement, all of a draw on the same images."""
    differences = np.random.default_rng(0).normal(1, 2, (seeds, 4))
    drawn = np.random.default_rng(seeds).integers(0, seeds, (NUM_SEED_DRAWS, seeds)).tolist()
    expected = [sum(differences[s, r] for s in draw) / seeds for draw in drawn for r in range(4)]
    assert resampled_means(differences) == pytest.approx(expected)


def test_draws_stand_for_all_there_are() -> None:
    """Interval and p value are those of every ordered draw of three seeds, on every set of images."""
    differences = np.random.default_rng(1).normal(0.5, 1, (3, 1)) + np.random.default_rng(2).normal(0, 0.3, (3, 200))
    every = np.array(
        [differences[list(draw), r].mean() for draw in itertools.product(range(3), repeat=3) for r in range(200)]
    )
    found = resampled_means(differences)
    assert interval(found) == pytest.approx(interval(every), abs=0.03)
    assert p_value(found) == pytest.approx(p_value(every), abs=0.02)


def test_one_seed_is_its_images() -> None:
    differences = np.random.default_rng(0).normal(size=(1, 7))
    assert resampled_means(differences).tolist() == differences[0].tolist()


def test_p_value_is_twice_the_smaller_tail() -> None:
    values = np.array([-1.0] * 3 + [2.0] * 96)  # and the one that was seen
    assert p_value(values, 99) == p_value(-values, 99) == pytest.approx(2 * (1 + 3) / 100)
    assert p_value(np.ones(400_000), 200) == pytest.approx(2 / 201)
    assert p_value(np.zeros(99), 99) == 1.0


def test_a_small_p_of_three_seeds_means_that_all_agree() -> None:
    """One seed of three against the others is drawn three times in one of 27 draws, too often for 0.05."""
    tight = np.random.default_rng(0).normal(0, 1e-6, (3, 200))
    assert p_value(resampled_means(np.array([[2.0], [2.0], [-0.1]]) + tight)) > 0.05
    assert p_value(resampled_means(np.array([[2.0], [2.0], [0.1]]) + tight)) < 0.05


@pytest.mark.parametrize(('seeds', 'images', 'expected'), [(3, 0.1, 0.21), (3, 1.0, 0.04), (10, 0.1, 0.07)])
def test_few_seeds_find_differences_where_there_are_none(seeds: int, images: float, expected: float) -> None:
    """In so many comparisons p is below 0.05, where images move differences so much less than seeds do."""
    random, found = np.random.default_rng(0), []
    for _ in range(300):
        of_seeds, of_images = random.normal(size=(seeds, 1)), images * random.normal()
        resampled = of_seeds + of_images + images * random.normal(size=NUM_RESAMPLES)
        found.append(p_value(resampled_means(resampled)) < 0.05)
    assert np.mean(found) == pytest.approx(expected, abs=0.04)
