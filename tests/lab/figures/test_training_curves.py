"""Curves of trainings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmlmseg.errors import DataError
from mmlmseg.lab.figures.training_curves import plot_training_curves, run_names, running_mean


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
