"""Reading what trainings logged."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mmlmseg.errors import DataError
from mmlmseg.lab.scalars import read_scalars


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
