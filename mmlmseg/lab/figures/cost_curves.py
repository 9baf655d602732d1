"""Score against training cost, one line per method (paper, Figure 6)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ...errors import DataError, errors_of
from .style import count_iterations, figure, line_styles

T = TypeVar('T')

_WANTED = (
    'a comparison of methods holds "metric": "mIoU" and "curves": {"method": [{"cost": iterations, "mean": value, '
    '"std": value or null}, ...]}'
)


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


def plot_cost_curves(
    curves: Mapping[str, Sequence[CostPoint]], path: str | Path, *, y_label: str, title: str = ''
) -> None:
    """Draws the mean score of each method against its total training cost, in a band of one standard deviation.

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
