"""The scalars that a training logged, as series."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DataError

Series = dict[int, float]


def read_scalars(work_dir: str | Path) -> dict[str, Series]:
    """Reads what mmengine wrote below a work directory, over all starts of the run.

    A later start replaces what an earlier one logged from its first step on, whether it resumed or began anew.

    Args:
        work_dir: The folder that was given as ``--work-dir``.

    Returns:
        By the name of the scalar (``loss``, ``camvid11/mIoU``), its values by step, ascending.

    Raises:
        DataError: Where nothing was logged there, or a line is damaged.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))  # folders are named by their time
    if not files:
        raise DataError(f'{work_dir}: holds no */vis_data/scalars.json; give the work directory of a training')
    series: dict[str, Series] = {}
    for file in files:
        entries = list(_entries(file))
        start = min((entry['step'] for entry in entries), default=float('inf'))
        series = {key: {step: v for step, v in values.items() if step < start} for key, values in series.items()}
        for entry in entries:
            for key, value in entry.items():
                if key not in ('step', 'iter', 'epoch') and isinstance(value, (int, float)):
                    series.setdefault(key, {})[entry['step']] = value
    return {key: dict(sorted(values.items())) for key, values in series.items() if values}


def _entries(file: Path) -> Iterator[dict[str, Any]]:
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
