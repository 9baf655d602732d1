"""Labels near their markers, none upon another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mmlmseg.lab.figures.label_placement import place_labels, spread_discs


def _covers(a: np.ndarray, a_size: np.ndarray, b: np.ndarray, b_size: np.ndarray) -> bool:
    """Whether two boxes, by centre and size, share more than an edge."""
    return bool(np.all(np.abs(a - b) + 1e-6 < (a_size + b_size) / 2))


@pytest.mark.parametrize('seed', range(3))
def test_a_crowd_of_labels_finds_room(seed: int) -> None:
    random = np.random.default_rng(seed)
    area = (600.0, 500.0)
    radii = random.uniform(3, 6, 80)
    middles = random.uniform(150, 350, (8, 2)).repeat(10, axis=0)  # clusters
    anchors = spread_discs(middles + random.normal(scale=35, size=(80, 2)), radii)
    sizes = np.stack([random.uniform(15, 70, 80), np.full(80, 10.0)], axis=1)
    places = place_labels(anchors, sizes, radii, area)
    for i, j in itertools.combinations(range(80), 2):
        assert not _covers(places[i], sizes[i], places[j], sizes[j]), (i, j)
    for i, j in itertools.product(range(80), repeat=2):
        assert not _covers(places[i], sizes[i], anchors[j], np.full(2, 2 * radii[j])), (i, j)
    assert (places - sizes / 2 > -1e-6).all()
    assert (places + sizes / 2 < np.array(area) + 1e-6).all()


def test_who_has_room_stands_beside_the_marker() -> None:
    anchors = np.stack(np.meshgrid(np.arange(60, 1000, 97.3), np.arange(60, 500, 61.7)), axis=-1).reshape(-1, 2)
    sizes = np.tile([31.7, 9.3], (len(anchors), 1))
    places = place_labels(anchors, sizes, np.full(len(anchors), 3.3), (1100, 560))
    np.testing.assert_allclose(places, anchors + [31.7 / 2 + 3.3, 0])


def test_labels_at_the_rim_turn_inwards_and_too_small_an_area_is_no_error() -> None:
    size = np.array([[40.0, 10.0]])
    assert place_labels(np.array([[97.0, 50.0]]), size, np.array([2.0]), (100, 100)).tolist() == [[75.0, 50.0]]
    places = place_labels(np.full((5, 2), 5.0), size.repeat(5, axis=0), np.full(5, 2.0), (10, 10))
    assert np.isfinite(places).all()


def test_discs_part_by_the_same_and_no_further_than_needed() -> None:
    centres = np.array([[0.0, 0.0], [0.0, 0.0], [50.0, 50.0]])
    spread = spread_discs(centres, np.array([2.0, 3.0, 4.0]))
    assert np.hypot(*(spread[0] - spread[1])) == pytest.approx(5, abs=2e-3)
    np.testing.assert_allclose(spread[0], -spread[1])
    assert spread[2].tolist() == [50, 50]
    random = np.random.default_rng(0)
    radii = random.uniform(2, 5, 40)
    spread = spread_discs(random.uniform(0, 80, (40, 2)), radii)
    for i, j in itertools.combinations(range(40), 2):
        assert np.hypot(*(spread[i] - spread[j])) > radii[i] + radii[j] - 0.1
