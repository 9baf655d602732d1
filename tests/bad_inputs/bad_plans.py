"""What cannot be planned, and runs that a plan cannot be compared with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from refusals import Refusals

from mmlmseg.errors import DataError, OptionError
from mmlmseg.planning import bytes_of, read_run

REFUSALS = Refusals()
SOUND = dict(loss=1.0, time=1.0, data_time=0.1, step=50)


def run(folder: Path, *lines: Any, batch_size: int = 8) -> None:
    """Reads a run that logged some lines; text stands as it is."""
    (folder / 'a/vis_data').mkdir(parents=True)
    text = '\n'.join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / 'a/vis_data/scalars.json').write_text(text)
    (folder / 'a/vis_data/config.py').write_text('train_dataloader = dict(batch_size=8)')
    read_run(folder, batch_size)


@REFUSALS.by(OptionError, "--memory '24'", 'unit, MB or GB', 'such as 24GB')
def a_memory_without_a_unit(folder: Path) -> None:
    bytes_of('24')


@REFUSALS.by(OptionError, "--memory '24TB'", 'MB or GB')
def a_memory_in_another_unit(folder: Path) -> None:
    bytes_of('24TB')


@REFUSALS.by(OptionError, "--memory '0GB'", 'above 0')
def no_memory(folder: Path) -> None:
    bytes_of('0GB')


@REFUSALS.by(OptionError, "--memory '-8GB'", 'above 0')
def less_than_no_memory(folder: Path) -> None:
    bytes_of('-8GB')


@REFUSALS.by(OptionError, "--memory ''", 'write a number')
def an_empty_memory(folder: Path) -> None:
    bytes_of('')


@REFUSALS.by(OptionError, "--memory '1.2.3GB'", 'write a number')
def a_memory_that_is_no_number(folder: Path) -> None:
    bytes_of('1.2.3GB')


@REFUSALS.by(DataError, 'holds no */vis_data/scalars.json', 'work directory of a training')
def a_folder_that_is_no_run(folder: Path) -> None:
    read_run(folder, 8)


@REFUSALS.by(DataError, 'scalars.json, line 2', 'delete it if a run was cut off')
def a_log_that_was_cut_off(folder: Path) -> None:
    run(folder, SOUND, '{"loss": 1.0, "ti')


@REFUSALS.by(DataError, 'scalars.json, line 1', 'no line that mmengine writes')
def a_log_of_something_else(folder: Path) -> None:
    run(folder, [1, 2])


@REFUSALS.by(DataError, 'scalars.json, line 1', 'no line that mmengine writes')
def a_log_without_steps(folder: Path) -> None:
    run(folder, dict(loss=1.0, time=1.0))


@REFUSALS.by(OptionError, 'scalars.json', 'no iteration after the 10th', 'longer run')
def a_run_that_is_too_short(folder: Path) -> None:
    run(folder, dict(SOUND, step=10))


@REFUSALS.by(OptionError, 'scalars.json', 'no iteration after the 10th')
def a_run_of_evaluations_only(folder: Path) -> None:
    run(folder, {'a/mIoU': 3.0, 'time': 1.0, 'data_time': 0.1, 'step': 50})


@REFUSALS.by(OptionError, 'scalars.json', 'no iteration after the 10th')
def a_run_without_a_timer(folder: Path) -> None:
    run(folder, dict(loss=1.0, step=50))


@REFUSALS.by(OptionError, 'config.py', 'batch_size = 8', 'what is planned 4', 'plan with the config of the run')
def a_run_of_another_batch_size(folder: Path) -> None:
    run(folder, SOUND, batch_size=4)
