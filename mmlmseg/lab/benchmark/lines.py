"""The result lines of a benchmark's finished runs: a file of one JSON object a line."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import DataError, OptionError
from .runs import Options, Run
from .spec import Benchmark

Line = Mapping[str, Any]


def read_lines(path: str | Path) -> dict[str, Line]:
    """Reads the finished runs.

    Args:
        path: The file; none is as good as an empty one.

    Returns:
        The lines by the name of their run, of several of one run the last.

    Raises:
        DataError: On a line that is damaged.
    """
    path = Path(path)
    lines: dict[str, Line] = {}
    for number, text in enumerate(path.read_text(encoding='utf-8').splitlines() if path.is_file() else [], 1):
        try:
            line = json.loads(text)
            lines[line['run']] = line
        except (ValueError, KeyError, TypeError):
            raise DataError(f'{path}, line {number}: is no finished run; delete the line to do its run again') from None
    return lines


def append_line(path: str | Path, line: Line) -> None:
    """Adds a finished run."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('ab', buffering=0) as file:  # in one piece, whenever the process is killed
        file.write(json.dumps(line).encode() + b'\n')


def chosen_options(benchmark: Benchmark, run: Run, lines: Mapping[str, Line]) -> Options:
    """The choice of a run: the one that it tries, or the one that served its method best on held-out training images.

    Args:
        benchmark: The benchmark.
        run: One of its runs.
        lines: Of the finished runs, by name.

    Raises:
        OptionError: Where a trial has not finished.
    """
    if run.choice is not None:
        return benchmark.choices[run.choice]
    trials = [trial for trial in benchmark.tuning_runs() if (trial.method, trial.dataset) == (run.method, run.dataset)]
    if missing := [trial.name for trial in trials if trial.name not in lines]:
        raise OptionError(f'{run.name} waits for {", ".join(missing)}')
    if not trials:
        return {}
    means = [
        statistics.fmean(scores[benchmark.metric] for scores in lines[trial.name]['scores'].values())
        for trial in trials
    ]
    return benchmark.choices[means.index(max(means))]
