"""Draws of images, against counting."""

from __future__ import annotations

from collections import Counter

import numpy as np

from mmlmseg.evaluation.resampling import times_drawn


def test_draws_are_as_many_images_with_replacement() -> None:
    """The numbers that the intervals of published results were made with: a draw of numpy's generator, counted."""
    drawn = np.random.default_rng(9).integers(0, 9, (200, 9))
    found = times_drawn(9, 200)
    assert [Counter(draw.tolist()) for draw in drawn] == [Counter(dict(enumerate(row))) for row in found.tolist()]
    assert (found.sum(1) == 9).all()


def test_draws_depend_on_both_numbers_alone() -> None:
    assert (times_drawn(10, 20) == times_drawn(10, 20)).all()
    assert len({tuple(row) for row in times_drawn(10, 20).tolist()}) == 20
