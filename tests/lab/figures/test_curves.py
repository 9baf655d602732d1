"""Curves of trainings and of cost, and reading what trainings logged."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmlmseg.errors import DataError
from mmlmseg.lab.figures.curves import (
    CostPoint,
    plot_cost_curves,
    plot_training_curves,
    read_cost_curves,
    read_scalars,
    run_names,
    running_mean,
)


def _log(work_dir: Path, start: str, entries: Sequence[dict[str, Any]]) -> Path:
    file = work_dir / start / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text(''.join(json.dumps(entry) + '\n' for entry in entries))
    return file


def test_series_by_name_and_step(tmp_path: Path) -> None:
    training = [dict(loss=float(10 - i), lr=0.1, iter=10 * i, epoch=0, step=10 * i) for i in (1, 2)]
    _log(tmp_path, '20260101_000000', [*training, {'camvid11/mIoU': 31.5, 'step': 20}, dict(loss=math.nan, step=30)])
    series = read_scalars(tmp_path)
    assert sorted(series) == ['camvid11/mIoU', 'loss', 'lr']
    assert series['lr'] == {10: 0.1, 20: 0.1}
    assert series['camvid11/mIoU'] == {20: 31.5}
    assert [*series['loss']] == [10, 20, 30]
    assert math.isnan(series['loss'][30])


def test_a_resumed_run_is_one_series(tmp_path: Path) -> None:
    """The first start got to 40, and was resumed from 20 with logs at other steps: 30 and 40 are of a lost branch."""
    _log(tmp_path, '20260102_000000', [dict(loss=float(i), step=i) for i in (25, 35)])
    _log(
        tmp_path, '20260101_000000', [dict(loss=100.0 + i, step=i) for i in (10, 20, 30, 40)] + [dict(mIoU=1, step=40)]
    )
    _log(tmp_path, '20260103_000000', [])  # stopped before it logged anything
    series = read_scalars(tmp_path)
    assert series == {'loss': {10: 110.0, 20: 120.0, 25: 25.0, 35: 35.0}}
    assert [*series['loss']] == [10, 20, 25, 35]


def test_a_run_begun_anew_replaces_the_former(tmp_path: Path) -> None:
    for day, value in ((1, 5.0), (2, 3.0)):
        _log(tmp_path, f'2026010{day}_000000', [dict(loss=value, step=step) for step in range(10, 50 // day, 10)])
    assert read_scalars(tmp_path) == {'loss': {10: 3.0, 20: 3.0}}


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'holds no \*/vis_data/scalars.json'):
        read_scalars(tmp_path)
    file = _log(tmp_path, 'a', [dict(loss=1.0, step=1)])
    file.write_text(file.read_text() + '{"loss": 0.')
    with pytest.raises(DataError, match=r'scalars.json, line 2: not valid JSON.*delete the line'):
        read_scalars(tmp_path)
    for line in ('{"loss": 0.5}', '[1]'):
        file.write_text(line)
        with pytest.raises(DataError, match=r'scalars.json, line 1: holds no "step"'):
            read_scalars(tmp_path)


@pytest.mark.parametrize('width', [0, 1, 7, 1000])
def test_running_mean_against_brute_force(width: float) -> None:
    random = np.random.default_rng(0)
    steps = np.sort(random.choice(200, 40, replace=False))
    values = random.normal(size=40)
    expected = [np.mean([v for t, v in zip(steps, values) if abs(t - s) <= width / 2]) for s in steps]
    np.testing.assert_allclose(running_mean(steps, values, width), expected)


def test_runs_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    assert run_names([tmp_path / 'a', tmp_path / 'b']) == ['a', 'b']
    assert run_names([tmp_path / 'x' / 'a', tmp_path / 'y' / 'a']) == ['x/a', 'y/a']
    with pytest.raises(DataError, match='given twice'):
        run_names([tmp_path / 'a', tmp_path / 'b' / '..' / 'a'])


RUNS = {'one': {'loss': {10: 2.0, 20: 1.0}}, 'two': {'loss': {i: 1 / i for i in range(1, 99)}, 'mean/mIoU': {50: 9.0}}}


@pytest.mark.parametrize(
    ('keys', 'size'), [(['loss'], (870, 585)), (['loss', 'mean/mIoU'], (1650, 585)), (['loss'] * 3, (1650, 1080))]
)
def test_a_panel_for_each_key(tmp_path: Path, keys: list[str], size: tuple[int, int]) -> None:
    plot_training_curves(RUNS, keys, tmp_path / 'a.png', smooth=20)
    assert Image.open(tmp_path / 'a.png').size == size


def test_an_unknown_key_is_named_with_its_neighbours(tmp_path: Path) -> None:
    message = r"no run logged 'mean/mIuO'\. Did you mean: mean/mIoU\? They logged loss, mean/mIoU"
    with pytest.raises(DataError, match=message):
        plot_training_curves(RUNS, ['loss', 'mean/mIuO'], tmp_path / 'a.png')
    assert not list(tmp_path.iterdir())


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
