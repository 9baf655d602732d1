"""The map of class names."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from mmlmseg.errors import OptionError
from mmlmseg.lab.figures.style import line_styles
from mmlmseg.lab.figures.text_map import plot_text_map, ring, tsne
from mmlmseg.label_space import LabelSpace, LabelSpaces


def test_neighbours_by_cosine_stay_neighbours() -> None:
    random = np.random.default_rng(0)
    clusters = np.repeat(np.arange(4), 8)
    rows = random.normal(size=(4, 32))[clusters] + 0.2 * random.normal(size=(32, 32))
    rows *= random.choice([0.01, 1, 100], size=(32, 1))  # a length means nothing
    positions = tsne(rows)
    assert positions.shape == (32, 2)
    gaps = np.hypot(*(positions[:, None] - positions).transpose(2, 0, 1))
    np.fill_diagonal(gaps, np.inf)
    assert (clusters[gaps.argmin(axis=1)] == clusters).all()
    np.testing.assert_array_equal(tsne(rows), positions)


@pytest.mark.parametrize('number', [3, 4, 7])
def test_few_rows(number: int) -> None:
    assert np.isfinite(tsne(np.random.default_rng(0).normal(size=(number, 16)))).all()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match=r'a map of 2 class names says nothing'):
        tsne(np.eye(2))
    monkeypatch.setitem(sys.modules, 'sklearn.manifold', None)
    with pytest.raises(OptionError, match=r'pip install scikit-learn'):
        tsne(np.eye(5))


def test_every_name_once_with_a_marker_for_each_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', lambda self, path: (kept.append(self), save(self, path)))
    spaces = LabelSpaces(
        [
            LabelSpace.create('street', ['sky', 'road', *(f'a long name {i}' for i in range(20))]),
            LabelSpace.create('facade', ['wall', 'sky']),
            LabelSpace.create('field', ['sky', 'wall']),
        ]
    )
    positions = np.random.default_rng(0).normal(scale=10, size=(len(spaces.vocabulary), 2))
    positions[1] = positions[0]  # sky and road
    plot_text_map(spaces, positions, tmp_path / 'a.png', title='title', caption='caption')

    axes = kept[0].axes[0]
    assert sorted(text.get_text() for text in axes.texts) == sorted(spaces.vocabulary)
    colour = {name: style['color'] for name, style in line_styles(spaces.names).items()}
    markers = [line for line in axes.lines if len(line.get_xdata()) == 1]
    drawn = {name: sum(to_hex(line.get_color()) == to_hex(c) for line in markers) for name, c in colour.items()}
    assert drawn == {'street': 22, 'facade': 2, 'field': 2}

    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    frame = axes.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1 for box in boxes)
    places = np.array([(line.get_xdata()[0], line.get_ydata()[0]) for line in markers])
    gaps = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))[np.triu_indices(len(places), 1)]
    assert gaps.min() > 6.4  # the size of a marker: all can be seen
    assert Image.open(tmp_path / 'a.png').width == 900


@pytest.mark.parametrize('number', [1, 2, 3, 6])
def test_discs_of_a_ring_touch(number: int) -> None:
    offsets = ring(number, 2.5)
    assert offsets.shape == (number, 2)
    np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=1e-9)
    if number > 1:
        np.testing.assert_allclose(np.hypot(*(offsets - np.roll(offsets, 1, axis=0)).T), 5)
