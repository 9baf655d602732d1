"""What the figures of `tools/analysis` share: size, fonts, colours that colour-blind readers tell apart, saving."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...errors import OptionError

INK, PALE = '#1e1e1e', '#d0d0d0'

# The colours of Okabe and Ito, "Color Universal Design" (2008), those of strong contrast to white first.
_SAFE = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000', '#F0E442')
_GOLDEN = 0.618034  # ratio: hues in these steps never come near one another
_MARKERS = 'osD^vPX*'
_FORMATS = ('.pdf', '.png', '.svg')
_STYLE = {
    'axes.edgecolor': INK,
    'axes.grid': True,
    'axes.labelcolor': INK,
    'axes.spines.right': False,
    'axes.spines.top': False,
    'axes.titlelocation': 'left',
    'axes.titlesize': 11,
    'axes.titleweight': 'bold',
    'figure.constrained_layout.h_pad': 0.08,
    'figure.constrained_layout.w_pad': 0.08,
    'figure.dpi': 150,
    'font.family': 'DejaVu Sans',  # comes with matplotlib, so that figures are alike everywhere
    'font.size': 9.5,
    'grid.color': '#e6e6e6',
    'legend.frameon': False,
    'text.color': INK,
    'xtick.color': INK,
    'ytick.color': INK,
}


@contextmanager
def figure(path: str | Path, width: float, height: float) -> Iterator[Figure]:
    """Opens an empty figure, and writes it at the end; needs no display and leaves pyplot alone.

    Args:
        path: File to write, its folder is made; the suffix says the format.
        width: In inches (150 pixels each).
        height: In inches.

    Raises:
        OptionError: A suffix of no known format.
    """
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise OptionError(f'{path}: a figure is written as {", ".join(_FORMATS)}; give the file one of these suffixes')
    with matplotlib.rc_context(_STYLE):
        drawn = Figure(figsize=(width, height), layout='constrained')
        yield drawn
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn.savefig(path)


def distinct_colours(number: int) -> list[Any]:
    """Colours for a number of series, as matplotlib takes them: safe for the colour-blind as far as these reach (8)."""
    if number <= len(_SAFE):
        return list(_SAFE[:number])
    levels = [(0.65, 0.95), (0.9, 0.95), (0.5, 0.95), (0.65, 0.75), (0.9, 0.75), (0.5, 0.75)]  # saturation, value
    return [tuple(hsv_to_rgb((i * _GOLDEN % 1, *levels[i % len(levels)]))) for i in range(number)]


def line_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker of each of several lines by its name, as keywords of ``Axes.plot``."""
    names = list(names)
    return {
        name: dict(color=colour, marker=_MARKERS[i % len(_MARKERS)], markersize=4.5)
        for i, (name, colour) in enumerate(zip(names, distinct_colours(len(names)), strict=True))
    }


def count_iterations(axes: Axes) -> None:
    """Marks the x axis at whole iterations, written like 160,000."""
    axes.xaxis.set_major_locator(MaxNLocator('auto', steps=[1, 2, 5, 10], integer=True))
    axes.xaxis.set_major_formatter('{x:,.0f}')
