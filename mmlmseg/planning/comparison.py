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


@dataclass(frozen=True)
class Run:
    """What one start of a training logged: seconds of the iterations of each line, and of a batch of each evaluation.

    Attributes:
        times: Of iterations.
        data_times: Of these, how long they waited for their batch.
        evaluations: The mean time of a batch.
        memory: The most MB that an accelerator had in use; None on a CPU.
    """

    times: tuple[float, ...]
    data_times: tuple[float, ...]
    evaluations: tuple[float, ...]
    memory: float | None


def read_run(folder: str | Path, batch_size: int) -> Run:
    """Reads the last start of a training.

    Args:
        folder: The work directory of a training on this machine, or the folder of one start below it.
        batch_size: What is planned with.

    Raises:
        DataError: Where nothing was logged there, or a line is damaged.
        OptionError: Where the run had another batch size, or took too few iterations.
    """
    file = _newest_log(Path(folder))
    _check_batch(batch_size, file.with_name('config.py'))
    lines = [line for line in _logged(file) if _has_times(line)]
    # The time of an evaluation stands in a line of its own, without a loss.
    steps = [line for line in lines if 'loss' in line and line['step'] > WARM_UP]
    if not steps:
        raise OptionError(f'{file}: logs no iteration after the {WARM_UP}th; compare with a longer run')
    return Run(
        times=tuple(line['time'] for line in steps),
        data_times=tuple(line['data_time'] for line in steps),
        evaluations=tuple(line['time'] for line in lines if 'loss' not in line),
        memory=max((line['memory'] for line in steps if 'memory' in line), default=None),
    )


def compare(plan: Plan, run: Run) -> list[Compared]:
    """Puts what a run took beside its prediction."""
    time, data_time = statistics.fmean(run.times), statistics.fmean(run.data_times)
    found = [
        Compared('iteration', 's', plan.iteration_seconds, time),
        Compared('iteration, without waiting for data', 's', plan.compute_seconds, time - data_time),
    ]
    figures = plan.measured.evaluation
    if run.evaluations and figures is not None:
        batches = sum(figures.images.values()) / figures.batch_size
        seconds = plan.evaluation_seconds / batches
        found.append(Compared('batch of an evaluation', 's', seconds, statistics.fmean(run.evaluations)))
    if run.memory is not None and plan.measured.device != 'cpu':
        found.append(Compared('memory', 'MB', plan.measured.memory[plan.measured.batch_size] / 2**20, run.memory))
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


def _check_batch(planned: int, config: Path) -> None:
    """Refuses a run of another batch size, as far as its config is still there."""
    if not config.is_file():
        return
    run = Config.fromfile(config, use_predefined_variables=False, import_custom_modules=False)
    if (size := run.get('train_dataloader', {}).get('batch_size')) != planned:
        raise OptionError(
            f'{config}: the run has train_dataloader.batch_size = {size}, what is planned {planned}; plan with the '
            'config of the run'
        )
