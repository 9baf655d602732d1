from __future__ import annotations

import numpy as np
import pytest

from mmlmseg.datasets.streams import DatasetDraws, ShuffledPasses


def test_draws_count_earlier_draws_of_the_same_dataset() -> None:
    draws = DatasetDraws([0.2, 0.5, 0.3], seed=3)
    counts = [0, 0, 0]
    for n in range(2 * DatasetDraws.block_size + 100):  # over two borders of blocks
        dataset, before = draws[n]
        assert before == counts[dataset]
        counts[dataset] += 1


def test_draws_do_not_depend_on_how_they_are_asked() -> None:
    places = [3 * DatasetDraws.block_size + 7, 5, DatasetDraws.block_size, 0, 4]
    forward = DatasetDraws([0.5, 0.5], seed=1)
    expected = [forward[n] for n in range(max(places) + 1)]
    jumping = DatasetDraws([0.5, 0.5], seed=1)
    assert [jumping[n] for n in places] == [expected[n] for n in places]


def test_draws_follow_the_probabilities() -> None:
    draws = DatasetDraws([0.0, 0.1, 0.6, 0.3, 0.0], seed=0)
    drawn = np.bincount([draws[n][0] for n in range(20000)], minlength=5) / 20000
    assert drawn == pytest.approx([0.0, 0.1, 0.6, 0.3, 0.0], abs=0.015)  # over 4 standard deviations
    assert drawn[0] == drawn[4] == 0


def test_passes_hold_every_sample_once_in_changing_order() -> None:
    passes = ShuffledPasses(50, seed=0, stream=0)
    orders = [[passes[n] for n in range(p * 50, p * 50 + 50)] for p in range(3)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] != orders[1] != orders[2]
    assert [passes[n] for n in range(50)] == orders[0]
    other = ShuffledPasses(50, seed=0, stream=1)
    assert [other[n] for n in range(50)] != orders[0]
