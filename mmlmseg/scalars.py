"""The scalars that a training logged, as series."""

from __future__ import annotations

import json
from pathlib import Path

from .errors import DataError

Series = dict[int, float]


def read_scalars(work_dir: str | Path) -> dict[str, Series]:
    """Reads what mmengine wrote below a work directory, over all restarts of the run.

    Where a resumed run repeats steps, its values count.

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
        for number, line in enumerate(file.read_text(encoding='utf-8').splitlines(), 1):
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f'{file}, line {number}: not valid JSON ({error})') from None
            step = entry.get('step')
            for key, value in entry.items():
                if key not in ('step', 'iter', 'epoch') and isinstance(value, (int, float)):
                    series.setdefault(key, {})[step] = value
    return {key: dict(sorted(values.items())) for key, values in series.items()}
