"""A prediction beside a run: what mmengine logged of its iterations and evaluations."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..errors import DataError, OptionError
from .prediction import Plan

WARM_UP = 10
"""Iterations of a run that are not compared: the first ones are slower."""


@dataclass(frozen=True)
class Compared:
    """A number that was predicted, and was measured in a run."""

    what: str
    unit: str
    predicted: float
    measured: float

    @property
    def difference(self) -> float:
        """By which share of what was measured the prediction is too high."""
        return (self.predicted - self.measured) / self.measured


def compare(plan: Plan, run: str | Path) -> list[Compared]:
    """Reads the last start of a run, and puts its times beside those of a plan.

    Args:
        plan: The prediction.
        run: The work directory of a training on this machine, or the folder of one start below it.

    Raises:
        DataError: Where nothing was logged there, or a line is damaged.
        OptionError: Where the run had another batch size, or took too few iterations.
    """
    file = _newest_log(Path(run))
    lines = _logged(file)
    _check_batch(plan, file)
    # The time of an evaluation stands in a line of its own, without a loss.
    steps = [line for line in lines if 'loss' in line and _has_times(line) and line['step'] > WARM_UP]
    if not steps:
        raise OptionError(f'{file}: logs no iteration after the {WARM_UP}th; compare with a longer run')
    found = [
        Compared('iteration', 's', plan.iteration_seconds, statistics.fmean(line['time'] for line in steps)),
        Compared(
            'iteration without waiting for data',
            's',
            plan.compute_seconds,
            statistics.fmean(line['time'] - line['data_time'] for line in steps),
        ),
    ]
    evaluated = [line['time'] for line in lines if 'loss' not in line and _has_times(line)]
    if evaluated and (figures := plan.measured.evaluation) is not None:
        batches = sum(figures.images.values()) / figures.batch_size
        found.append(
            Compared('batch of an evaluation', 's', plan.evaluation_seconds / batches, statistics.fmean(evaluated))
        )
    memory = [line['memory'] for line in steps if 'memory' in line]
    if memory and plan.measured.device != 'cpu':
        peak = plan.measured.memory[plan.measured.batch_size] / 2**20
        found.append(Compared('memory', 'MB', peak, float(max(memory))))
    return found


def _newest_log(run: Path) -> Path:
    """The scalars of the last start; folders are named by their time."""
    files = sorted({*run.glob('*/vis_data/scalars.json'), *run.glob('vis_data/scalars.json')})
    if not files:
        raise DataError(f'{run}: holds no */vis_data/scalars.json; give the work directory of a training')
    return files[-1]


def _logged(file: Path) -> Sequence[dict[str, Any]]:
    entries = []
    for number, line in enumerate(file.read_text(encoding='utf-8').splitlines(), 1):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict) or not isinstance(entry.get('step'), int):
            raise DataError(f'{file}, line {number}: is no line that mmengine writes; delete it if a run was cut off')
        entries.append(entry)
    return entries


def _has_times(line: dict[str, Any]) -> bool:
    return all(isinstance(line.get(key), (int, float)) and line[key] > 0 for key in ('time', 'data_time'))


def _check_batch(plan: Plan, file: Path) -> None:
    """Refuses a run of another batch size, as far as its config is still there."""
    config = file.with_name('config.py')
    if not config.is_file():
        return
    batch = Config.fromfile(config, use_predefined_variables=False, import_custom_modules=False)
    size = batch.get('train_dataloader', {}).get('batch_size')
    if size != plan.measured.batch_size:
        raise OptionError(
            f'{config}: the run has train_dataloader.batch_size = {size}, what is planned '
            f'{plan.measured.batch_size}; plan with the config of the run'
        )
