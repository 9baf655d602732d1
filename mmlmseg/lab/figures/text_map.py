"""A map of class names by what a model takes them to mean: t-SNE of its text table (paper, Figure 2)."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

from ...errors import OptionError
from ...label_space import LabelSpaces
from .label_placement import place_labels, spread_discs
from .style import INK, PALE, figure, line_styles

_PERPLEXITY = 30  # neighbours that a row is meant to stay near to, where there are rows enough
_FONT_SIZE = 7.5  # points, as are the sizes below
_MARKER = 6.5
_MARGIN = 30


def tsne(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """Lays rows out in the plane so that those of a small cosine distance are neighbours.

    Args:
        rows: Embeddings [V, C], at least three.

    Returns:
        Positions [V, 2], the same for the same rows; only who is near to whom has a meaning.

    Raises:
        OptionError: Where scikit-learn is missing, or there are too few rows.
    """
    try:
        manifold = importlib.import_module('sklearn.manifold')  # takes seconds, so not at import
    except ImportError:
        raise OptionError('t-SNE needs scikit-learn: pip install scikit-learn') from None
    if len(rows) < 3:
        raise OptionError(f'a map of {len(rows)} class names says nothing; t-SNE takes at least 3')
    perplexity = min(_PERPLEXITY, (len(rows) - 1) / 3)
    return manifold.TSNE(metric='cosine', init='pca', perplexity=perplexity, random_state=0).fit_transform(rows)


def plot_text_map(
    spaces: LabelSpaces, positions: NDArray[np.floating], path: str | Path, *, title: str = '', caption: str = ''
) -> None:
    """Draws the names of a vocabulary, each with a marker for every label space that it is a class of.

    Args:
        spaces: The label spaces.
        positions: Of the names of their vocabulary [V, 2].
        path: PNG, PDF or SVG to write; its size follows the number of names.
        title: Written above.
        caption: Written below.

    Raises:
        OptionError: Where the suffix is of no known format.
    """
    names = spaces.vocabulary
    styles = line_styles(spaces.names)
    owners = [[space.name for space in spaces if name in space.names] for name in names]
    side = 1.5 + 0.6 * len(names) ** 0.5
    with figure(path, max(1.25 * side, 6), side) as drawn:
        axes = drawn.add_subplot()
        axes.set(title=title, xlabel=caption, xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set(visible=True, color=PALE)
        keys = [
            Line2D([], [], linestyle='', label=f'{space.name} ({space.num_classes})', **styles[space.name])
            for space in spaces
        ]
        drawn.legend(handles=keys, loc='outside lower center', ncols=min(len(keys), 5), handletextpad=0.2)
        drawn.draw_without_rendering()  # gives the axes their size; from here on they are measured in points
        box = axes.get_window_extent()
        area = (box.width * 72 / drawn.dpi, box.height * 72 / drawn.dpi)
        axes.set(xlim=(0, area[0]), ylim=(0, area[1]))
        rings = [ring(len(group), _MARKER / 2) for group in owners]
        radii = np.array([np.hypot(*offsets[0]) + _MARKER / 2 for offsets in rings])
        anchors = spread_discs(_fit(positions, area), radii)
        for group, offsets, anchor in zip(owners, rings, anchors, strict=True):
            for owner, (x, y) in zip(group, anchor + offsets, strict=True):
                axes.plot(
                    x, y, **{**styles[owner], 'markersize': _MARKER}, markeredgecolor='white', markeredgewidth=0.5
                )
        _draw_names(axes, names, anchors, radii, area)


def ring(number: int, radius: float) -> NDArray[np.floating]:
    """Centres of discs around a point, the first at its left, so that neighbours touch; a single one stands on it.

    Args:
        number: How many discs.
        radius: Of a disc.

    Returns:
        Offsets from the point [number, 2].

    Examples:
        >>> ring(2, 3.0)[:, 0].tolist()
        [-3.0, 3.0]
    """
    angles = np.pi - 2 * np.pi * np.arange(number) / number
    distance = radius / np.sin(np.pi / number) if number > 1 else 0.0
    return distance * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _fit(positions: NDArray[np.floating], area: tuple[float, float]) -> NDArray[np.floating]:
    low, high = positions.min(axis=0), positions.max(axis=0)
    return _MARGIN + (positions - low) / (high - low) * (np.array(area) - 2 * _MARGIN)


def _draw_names(
    axes: Axes,
    names: Sequence[str],
    anchors: NDArray[np.floating],
    radii: NDArray[np.floating],
    area: tuple[float, float],
) -> None:
    widths = [np.ptp(TextPath((0, 0), name, size=_FONT_SIZE).vertices[:, 0]) for name in names]
    sizes = np.array([(width + 5, 1.35 * _FONT_SIZE) for width in widths])
    places = place_labels(anchors, sizes, radii, area)
    for name, anchor, radius, size, place in zip(names, anchors, radii, sizes, places, strict=True):
        near = np.clip(anchor, place - size / 2, place + size / 2)  # of the label's box
        if np.hypot(*(near - anchor)) > radius + 2:
            axes.plot(*zip(anchor, near), color=INK, linewidth=0.4, alpha=0.6, zorder=1)
        text = axes.text(place[0], place[1], name, fontsize=_FONT_SIZE, ha='center', va='center', zorder=4)
        text.set_path_effects([withStroke(linewidth=1.5, foreground='white')])
