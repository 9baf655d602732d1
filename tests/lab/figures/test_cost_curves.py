"""Curves of score against cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmlmseg.errors import DataError
from mmlmseg.lab.figures.cost_curves import CostPoint, plot_cost_curves, read_cost_curves


def _write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_points_come_in_order_of_cost(tmp_path: Path) -> None:
    points = [dict(cost=200, mean=30, std=None, note='x'), dict(cost=100, mean=20.5, std=0.5)]
    path = _write(tmp_path / 'a.json', dict(metric='mIoU', curves={'b': points, 'a': points[:1]}, rows=[]))
    curves, metric = read_cost_curves(path)
    assert metric == 'mIoU'
    assert [*curves] == ['b', 'a']
    assert curves['b'] == [CostPoint(100, 20.5, 0.5), CostPoint(200, 30, None)]


POINT = dict(cost=1, mean=2, std=None)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"metric": ', r'cannot be read as JSON'),
        ([], r"has no 'metric' to plot"),
        (dict(metric='mIoU', curves={}), r"has no 'curves' to plot"),
        (dict(metric=3, curves={'a': [POINT]}), r"has no 'metric' to plot"),
        (dict(metric='mIoU', curves={'a': []}), r"curve 'a' is no list of points"),
        (dict(metric='mIoU', curves={'a': [POINT, 3]}), r"curve 'a', point 1 is 3"),
        (dict(metric='mIoU', curves={'a': [dict(POINT, mean='2')]}), r"point 0: 'mean' must be a number, got '2'"),
        (dict(metric='mIoU', curves={'a': [dict(POINT, mean=float('nan'))]}), r"'mean' must be a number, got nan"),
        (dict(metric='mIoU', curves={'a': [dict(mean=2)]}), r"'cost' must be a number, got None"),
        (dict(metric='mIoU', curves={'a': [POINT, POINT]}), r"curve 'a': two points have one cost"),
    ],
)
def test_what_cannot_be_plotted_is_named(tmp_path: Path, content: Any, message: str) -> None:
    path = _write(tmp_path / 'bad.json', content)
    with pytest.raises(DataError, match=rf'bad\.json: .*{message}'):
        read_cost_curves(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'none\.json: cannot be read'):
        read_cost_curves(tmp_path / 'none.json')


def test_figure_with_and_without_deviation(tmp_path: Path) -> None:
    curves = {f'method {i}': [CostPoint(100 * j, 20 + i + j, 1.0 if i else None) for j in (1, 2)] for i in range(9)}
    plot_cost_curves(curves, tmp_path / 'a.png', y_label='mean mIoU (%)', title='title')
    assert Image.open(tmp_path / 'a.png').size == (960, 660)
