"""Curves: what trainings logged, against their iterations, and what methods reached, against their cost."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ...errors import DataError, did_you_mean, errors_of
from ...evaluation.keys import is_class_key
from .style import count_iterations, figure, line_styles

T = TypeVar('T')
Series = dict[int, float]
"""The values of a scalar by step, ascending."""

_FEW = 30  # points of a line that each get a marker
_COLUMNS = 2
_WANTED = (
    'a comparison of methods holds "metric": "mIoU" and "curves": {"method": [{"cost": iterations, "mean": value, '
    '"std": value or null}, ...]}'
)


def read_scalars(work_dir: str | Path) -> dict[str, Series]:
    """Reads what mmengine wrote below a work directory, over all starts of the run.

    A later start replaces what an earlier one logged from its first step on, whether it resumed or began anew.

    Args:
        work_dir: The folder that was given as ``--work-dir``.

    Returns:
        The series by the name of the scalar (``loss``, ``camvid11/mIoU``).

    Raises:
        DataError: Where nothing was logged there, or a line is damaged.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))  # folders are named by their time
    if not files:
        raise DataError(f'{work_dir}: holds no */vis_data/scalars.json; give the work directory of a training')
    series: dict[str, Series] = {}
    for file in files:
        entries = list(_logged(file))
        start = min((entry['step'] for entry in entries), default=float('inf'))
        series = {key: {step: v for step, v in values.items() if step < start} for key, values in series.items()}
        for entry in entries:
            for key, value in entry.items():
                if key not in ('step', 'iter', 'epoch') and isinstance(value, (int, float)):
                    series.setdefault(key, {})[entry['step']] = value
    return {key: dict(sorted(values.items())) for key, values in series.items() if values}


def _logged(file: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file.read_text(encoding='utf-8').splitlines(), 1):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f'{file}, line {number}: not valid JSON ({error}); delete the line if a run was cut off in it'
            ) from None
        if not isinstance(entry, dict) or not isinstance(entry.get('step'), int):
            raise DataError(f'{file}, line {number}: holds no "step"; delete the line if mmengine did not write it')
        yield entry


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


def plot_training_curves(
    runs: Mapping[str, Mapping[str, Series]], keys: Sequence[str], path: str | Path, *, smooth: float = 0
) -> None:
    """Draws a panel for each key, with the line of every run that logged it.

    Args:
        runs: By the name of the run, what :func:`read_scalars` gives.
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
            others = ', '.join(name for name in known if not is_class_key(name))
            raise DataError(f'no run logged {key!r}.{did_you_mean(key, known)} They logged {others}')
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


class CostPoint(NamedTuple):
    """What a method reached at some cost.

    Attributes:
        cost: Training iterations, summed over the models of a method that trains several.
        mean: Mean score over datasets (and seeds), in per cent.
        std: Its standard deviation over seeds; None for a single one.
    """

    cost: float
    mean: float
    std: float | None = None


def read_cost_curves(path: str | Path) -> tuple[dict[str, list[CostPoint]], str]:
    """Reads the curves of a comparison of methods.

    Args:
        path: JSON with ``metric``, e.g. ``"mIoU"``, and ``curves``, by method a list of ``{"cost": iterations,
            "mean": value, "std": value or null}``. Other keys are left alone.

    Returns:
        The points of each method in order of their cost, and the metric.

    Raises:
        DataError: Where the file is missing or no JSON, lacks a key, or holds no number where one is due.
    """
    with errors_of(path):
        try:
            results = json.loads(Path(path).read_text(encoding='utf-8'))
        except (OSError, ValueError) as error:
            raise DataError(f'cannot be read as JSON ({error})') from None
        results = results if isinstance(results, dict) else {}
        metric, curves = _entry(results, 'metric', str), _entry(results, 'curves', dict)
        return {method: _read_points(points, f'curve {method!r}') for method, points in curves.items()}, metric


def _entry(results: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = results.get(key)
    if not isinstance(value, kind) or not value:
        raise DataError(f'has no {key!r} to plot; {_WANTED}')
    return value


def _read_points(points: Any, where: str) -> list[CostPoint]:
    if not isinstance(points, list) or not points:
        raise DataError(f'{where} is no list of points; {_WANTED}')
    read = [_read_point(point, f'{where}, point {number}') for number, point in enumerate(points)]
    if len({point.cost for point in read}) < len(read):
        raise DataError(f'{where}: two points have one cost; give their mean and std as one point')
    return sorted(read)


def _read_point(point: Any, where: str) -> CostPoint:
    if not isinstance(point, dict):
        raise DataError(f'{where} is {point!r}; {_WANTED}')
    found: dict[str, Any] = {key: point.get(key) for key in CostPoint._fields}
    for key, value in found.items():
        if not (isinstance(value, (int, float)) and math.isfinite(value)) and not (key == 'std' and value is None):
            raise DataError(f'{where}: {key!r} must be a number, got {value!r}; {_WANTED}')
    return CostPoint(**found)


def plot_cost_curves(
    curves: Mapping[str, Sequence[CostPoint]], path: str | Path, *, y_label: str, title: str = ''
) -> None:
    """Draws the mean score of each method against its total training cost (paper, Figure 6), in a band of one
    standard deviation.

    Args:
        curves: Points by method, in order of cost.
        path: PNG, PDF or SVG to write.
        y_label: What the score is.
        title: Written above.

    Raises:
        OptionError: Where the suffix is of no known format.
    """
    with figure(path, 6.4, 4.4) as drawn:
        axes = drawn.add_subplot()
        for method, style in line_styles(curves).items():
            points = curves[method]
            cost, mean = [point.cost for point in points], [point.mean for point in points]
            axes.plot(cost, mean, label=method, linewidth=1.8, **style)
            spread = [math.nan if point.std is None else point.std for point in points]
            low, high = ([m + sign * s for m, s in zip(mean, spread, strict=True)] for sign in (-1, 1))
            axes.fill_between(cost, low, high, color=style['color'], alpha=0.15, linewidth=0)
        axes.set(xlabel='total training cost (iterations)', ylabel=y_label, title=title)
        count_iterations(axes)
        axes.set_xlim(left=0)
        drawn.legend(loc='outside lower center', ncols=3)
