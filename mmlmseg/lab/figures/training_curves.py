"""What trainings logged, against their iterations: a panel per value, a line per run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ...errors import DataError, did_you_mean
from ..scalars import Series
from .style import count_iterations, figure, line_styles

_FEW = 30  # points of a line that each get a marker
_COLUMNS = 2


def plot_training_curves(
    runs: Mapping[str, Mapping[str, Series]], keys: Sequence[str], path: str | Path, *, smooth: float = 0
) -> None:
    """Draws a panel for each key, with the line of every run that logged it.

    Args:
        runs: By the name of the run, what :func:`mmlmseg.lab.scalars.read_scalars` gives.
        keys: What to plot, e.g. ``loss``, ``mean/mIoU``.
        path: PNG, PDF or SVG to write.
        smooth: Width in iterations of the running mean that is drawn over the pale measured line; 0 for none.

    Raises:
        DataError: Where no run logged a key; like ones are named.
        OptionError: Where the suffix is of no known format.
    """
    known = sorted({key for logged in runs.values() for key in logged})
    for key in keys:
        if key not in known:
            raise DataError(f'no run logged {key!r}.{did_you_mean(key, known)} They logged {", ".join(known)}')
    columns = min(_COLUMNS, len(keys))
    rows = -(-len(keys) // columns)
    with figure(path, 0.6 + 5.2 * columns, 0.6 + 3.3 * rows) as drawn:
        panels = drawn.subplots(rows, columns, squeeze=False, sharex=True).ravel()
        styles = line_styles(runs)
        for panel, key in zip(panels, keys):
            for name in (name for name in runs if key in runs[name]):
                steps, values = np.array(list(runs[name][key])), np.array(list(runs[name][key].values()), float)
                style = styles[name] if len(steps) <= _FEW else {**styles[name], 'marker': ''}
                if smooth:
                    panel.plot(steps, values, color=style['color'], alpha=0.25, linewidth=1)
                panel.plot(steps, running_mean(steps, values, smooth), linewidth=1.6, **style)
            panel.set(title=key, xlabel='iteration')
            panel.tick_params(labelbottom=True)
            count_iterations(panel)
        for panel in panels[len(keys) :]:
            panel.set_visible(False)
        lines = [Line2D([], [], label=name, **style) for name, style in styles.items()]
        drawn.legend(handles=lines, loc='outside lower center', ncols=columns)


def running_mean(steps: NDArray[np.integer], values: NDArray[np.floating], width: float) -> NDArray[np.floating]:
    """Means over the neighbours within half a width, fewer at the ends; what is logged rarely stays as it is.

    Args:
        steps: Iterations [n], ascending.
        values: Measured there [n].
        width: Of the window, in iterations.

    Returns:
        Means [n].

    Examples:
        >>> running_mean(np.array([0, 10, 20, 100]), np.array([1.0, 2.0, 6.0, 5.0]), width=20).tolist()
        [1.5, 3.0, 4.0, 5.0]
    """
    first = np.searchsorted(steps, steps - width / 2, side='left')
    last = np.searchsorted(steps, steps + width / 2, side='right')
    return np.array([values[start:end].mean() for start, end in zip(first, last, strict=True)])


def run_names(work_dirs: Sequence[str | Path]) -> list[str]:
    """Names runs by their folder, with as many of its parents as tell them apart.

    Raises:
        DataError: Where a folder is given twice.

    Examples:
        >>> run_names(['work_dirs/seed0/lmseg', 'work_dirs/seed1/lmseg'])
        ['seed0/lmseg', 'seed1/lmseg']
    """
    parts = [Path(folder).resolve().parts for folder in work_dirs]
    if len(set(parts)) < len(parts):
        raise DataError(f'a work directory is given twice: {", ".join(map(str, work_dirs))}')
    for depth in range(1, max(map(len, parts)) + 1):
        names = ['/'.join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return names
