from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from plans import MEASURED, measured

from mmlmseg.planning import compare, predict, read_run

LINES = [
    dict(loss=9.0, time=9.0, data_time=1.0, step=10),  # warms up
    dict(loss=8.0, time=4.0, data_time=0.4, step=20),
    dict(loss=7.0, time=3.0, data_time=0.2, step=30),
    {'a/mIoU': 20.0, 'time': 1.6, 'data_time': 0.1, 'step': 30},
]


def write(folder: Path, start: str, lines: list[dict[str, Any]], batch_size: int = 4) -> None:
    """A start of a run, as mmengine leaves it."""
    (folder / start / 'vis_data').mkdir(parents=True)
    (folder / start / 'vis_data/scalars.json').write_text('\n'.join(map(json.dumps, lines)) + '\n')
    (folder / start / 'vis_data/config.py').write_text(f'train_dataloader = dict(batch_size={batch_size})\n')


def test_the_last_start_is_put_beside_the_prediction(tmp_path: Path) -> None:
    write(tmp_path, '20260101_000000', [dict(loss=1.0, time=99.0, data_time=1.0, step=50)])
    write(tmp_path, '20260102_000000', LINES)
    compared = {one.what: one for one in compare(predict(MEASURED, 2**33), read_run(tmp_path, 4))}
    iteration = compared['iteration']
    assert (iteration.predicted, iteration.measured, iteration.difference) == (3.5, 3.5, 0)
    computing = compared['iteration, without waiting for data']
    assert (computing.predicted, computing.measured) == (3.0, pytest.approx(3.2))
    evaluation = compared['batch of an evaluation']
    assert (evaluation.predicted, evaluation.measured) == (35.5 / 20, 1.6)
    assert 'memory' not in compared


def test_one_start_may_be_named(tmp_path: Path) -> None:
    write(tmp_path, 'start', LINES)
    assert read_run(tmp_path / 'start', 4) == read_run(tmp_path, 4)


def test_the_memory_of_an_accelerator_is_compared(tmp_path: Path) -> None:
    write(tmp_path, 'start', [{**line, 'memory': 5000} for line in LINES])
    (*_, memory) = compare(predict(measured(device='NVIDIA H100'), 2**33), read_run(tmp_path, 4))
    assert (memory.what, memory.predicted, memory.measured) == ('memory', 4096, 5000)
