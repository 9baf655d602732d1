from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / 'tools' / 'benchmarks' / 'planner.py'


def test_a_run_is_what_its_log_says_without_the_first_iterations(
    load_script: Callable[[Path], ModuleType], tmp_path: Path
) -> None:
    lines = [dict(loss=1.0, time=time, step=step) for time, step in ((9.0, 10), (2.0, 20), (4.0, 30))]
    log = tmp_path / 'scalars.json'
    log.write_text('\n'.join(map(json.dumps, [*lines, {'a/mIoU': 1.0, 'time': 0.5, 'step': 30}])))
    found = load_script(SCRIPT).seconds_of(log, 30, dict(batch_size=2, images=dict(a=6, b=4)))
    assert found == dict(training=pytest.approx(90), evaluation=2.5, all=pytest.approx(92.5))
