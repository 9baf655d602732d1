"""A confusion matrix as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import PercentFormatter

from ...evaluation.confusion import Confusion, sorted_columns
from .style import INK, PALE, figure

_FEW = 40  # columns up to which each cell says its number
_WIDE, _NARROW = 0.36, 0.17  # inches of a cell, with and without a number
_CHARACTER = 0.085  # inches of a name, about
_BAR = 3.0  # inches of the scale
_LEAST = 0.005  # the share below which a cell says nothing


def plot_confusion(confusion: Confusion, path: str | Path, *, title: str = '') -> None:
    """Draws shares of the pixels of each true class, a row each; where the truth holds none of it, the row is grey.

    In another label space, the columns stand in the order of the true class that they are found on most.

    Args:
        confusion: The matrix.
        path: PNG, PDF or SVG to write; its size follows the number of classes.
        title: Written above.

    Raises:
        OptionError: Where the suffix is of no known format.
    """
    within = confusion.truth.name == confusion.prediction.name
    order = [*range(confusion.prediction.num_classes)] if within else [*sorted_columns(confusion.counts)]
    shares = confusion.shares.numpy()[:, order]
    rows, columns = confusion.truth.classes, [confusion.prediction.classes[i] for i in order]
    cell = _WIDE if len(columns) <= _FEW else _NARROW
    left, top = (_CHARACTER * max(map(len, names)) for names in (rows, columns))
    width = max(len(columns) * cell, _BAR) + left + 1.0
    with figure(path, width, len(rows) * cell + top + 1.6) as drawn:
        axes = drawn.add_subplot()
        axes.set_facecolor(PALE)
        image = axes.imshow(shares, cmap='Blues', norm=PowerNorm(0.5, 0, 1), aspect='auto', interpolation='nearest')
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position('top')
        size = 8.5 if cell == _WIDE else 7
        axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=size)
        axes.set_yticks(range(len(rows)), rows, fontsize=size)
        axes.set(xlabel=f'found, in label space {confusion.prediction.name}', title=title)
        axes.set_ylabel(f'true, in label space {confusion.truth.name}')
        axes.tick_params(length=0)
        axes.spines[:].set(visible=True, color=PALE)
        axes.grid(False)
        axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
        axes.grid(True, which='minor', color='white', linewidth=0.5)
        axes.tick_params(which='minor', length=0)
        if cell == _WIDE:
            _write_shares(axes, shares)
        bar = drawn.colorbar(image, location='bottom', shrink=min(1, _BAR / (len(columns) * cell)), aspect=30, pad=0.02)
        bar.set_label('share of the pixels of a true class')
        bar.set_ticks([0, 0.05, 0.2, 0.5, 1])
        bar.ax.xaxis.set_major_formatter(PercentFormatter(1))


def _write_shares(axes: Axes, shares: np.ndarray) -> None:
    """Percentages into the cells, down to what rounds to one."""
    for row, column in np.argwhere(np.nan_to_num(shares) >= _LEAST):
        share = shares[row, column]
        colour = 'white' if share > 0.35 else INK
        axes.text(column, row, f'{100 * share:.0f}', ha='center', va='center', fontsize=7, color=colour)
