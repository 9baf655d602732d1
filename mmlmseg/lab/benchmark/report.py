"""From the result lines of a benchmark's runs to its table and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import DataError, did_you_mean
from .lines import Line
from .runs import Method, Run
from .spec import Benchmark
from .statistics import deviation, interval
from .table import Report, Row

Seeds = Sequence[Sequence[Line]]
"""The lines of a method: for each seed, one a run."""


def make_report(benchmark: Benchmark, lines: Mapping[str, Line]) -> Report:
    """Puts the finished runs together.

    Args:
        benchmark: The benchmark.
        lines: Result lines by the name of their run.

    Returns:
        A row for each method all of whose runs have finished.

    Raises:
        DataError: Where a line is of another budget or batch size, or lacks a further column, or a dataset is not
            scored, or scored twice.
    """
    runs = list(benchmark.final_runs())
    finished = [(run, lines[run.name]) for run in runs if run.name in lines]
    for run, line in finished:
        _check(benchmark, run, line, batch_size=finished[0][1]['batch_size'])
    done = {method.name: _seeds(benchmark, method, lines) for method in benchmark.methods}
    return Report(
        title=benchmark.title,
        metric=benchmark.metric,
        reference=benchmark.reference,
        seeds=len(benchmark.seeds),
        choices=len(benchmark.choices),
        batch_size=finished[0][1]['batch_size'] if finished else 0,
        rows=[_row(benchmark, name, own, done[benchmark.reference]) for name, own in done.items() if own],
        curves={name: _curve(benchmark, own) for name, own in done.items() if own},
        missing=[run.name for run in runs if run.name not in lines],
    )


def _check(benchmark: Benchmark, run: Run, line: Line, batch_size: int) -> None:
    for key, wanted in (('iterations', benchmark.length_of(run)), ('batch_size', batch_size)):
        if line[key] != wanted:
            raise DataError(
                f'run {run.name!r} has {key} {line[key]}, the benchmark wants {wanted}; delete its line to do it again'
            )
    for name in benchmark.also:
        dataset, _, key = name.partition('/')
        # A model of one dataset may not know the label space of one that no model is trained on.
        due = dataset in benchmark.evaluated_by(run) and run.dataset in (None, dataset)
        if (due or dataset in line['scores']) and key not in line['scores'].get(dataset, {}):
            known = [f'{own}/{k}' for own, scores in line['scores'].items() for k in scores]
            raise DataError(
                f'run {run.name!r} has no {name}, which `also` asks for, only {", ".join(known)}.'
                f'{did_you_mean(name, known)} Correct it, or delete the line to do the run again'
            )


def _seeds(benchmark: Benchmark, method: Method, lines: Mapping[str, Line]) -> Seeds:
    """The lines of a method; nothing where one is missing."""
    wanted = [run for run in benchmark.final_runs() if run.method == method]
    if any(run.name not in lines for run in wanted):
        return []
    return [[lines[run.name] for run in wanted if run.seed == seed] for seed in benchmark.seeds]


def _row(benchmark: Benchmark, name: str, own: Seeds, reference: Seeds) -> Row:
    scores = _scores(benchmark, own)
    models = _models(own)
    row = Row(
        method=name,
        models=len(models),
        text=models[0]['text'],
        cost=_cost(own),
        options=[line['options'] for line in models],
        scores={dataset: _rounded(mean) for dataset, mean in zip(benchmark.scored_datasets, scores.mean(0))},
        mean=_rounded(scores.mean()),
        std=_deviation(scores.mean(1)),
        also={name: _further(name, own) for name in benchmark.also},
    )
    if name == benchmark.reference or not reference:
        return row
    low, high = interval(_resampled_means(benchmark, own) - _resampled_means(benchmark, reference))
    return replace(
        row,
        difference=_rounded(scores.mean() - _scores(benchmark, reference).mean()),
        interval=(_rounded(low), _rounded(high)),
    )


def _curve(benchmark: Benchmark, own: Seeds) -> list[dict[str, Any]]:
    """Cost and mean score at each reading; models of one dataset each are read at the same share of their budget.

    A reading that a run lacks has no point.
    """
    points = []
    for part in range(1, benchmark.readings + 1):
        values = _table(benchmark, [[_reading(line, part / benchmark.readings) for line in lines] for lines in own])
        if not np.isnan(values).any():
            cost = _cost(own) * part // benchmark.readings
            points.append(dict(cost=cost, mean=_rounded(values.mean()), std=_deviation(values.mean(1))))
    return points


def _models(own: Seeds) -> Sequence[Line]:
    """The lines of the trainings with the first seed, without that of all models together."""
    return [line for line in own[0] if not line.get('members')]


def _cost(own: Seeds) -> int:
    return sum(line['iterations'] for line in _models(own))


def _further(name: str, own: Seeds) -> float | None:
    """A further column of the table, the mean over seeds; None where no model of the method could be asked."""
    dataset, _, key = name.partition('/')
    values = [[line['scores'][dataset][key] for line in lines if dataset in line['scores']] for lines in own]
    if (most := max(map(len, values))) > 1:
        raise _other_than_one(dataset, most)
    return _rounded(np.concatenate(values).mean()) if most else None


def _scores(benchmark: Benchmark, own: Seeds) -> np.ndarray:
    """The headline for each seed and dataset, [S, D]."""

    def headline(line: Line) -> dict[str, float]:
        return {name: scores[benchmark.metric] for name, scores in line['scores'].items() if benchmark.metric in scores}

    return _table(benchmark, [[headline(line) for line in lines] for lines in own])


def _resampled_means(benchmark: Benchmark, own: Seeds) -> np.ndarray:
    """The mean over seeds and datasets for each resampled set of images, [R]."""
    return _table(benchmark, [[line['resamples'] for line in lines] for lines in own]).mean((0, 1))


def _reading(line: Line, share: float) -> dict[str, float]:
    """The headline by dataset at a share of a run, nan where it was not read."""
    step = str(round(line['iterations'] * share))
    return {name: series.get(step, np.nan) for name, series in line['readings'].items()}


def _table(benchmark: Benchmark, seeds: Sequence[Sequence[Mapping[str, Any]]]) -> np.ndarray:
    """Puts what each model says of its datasets in the order of the table, for each seed: [S, D, ...].

    Raises:
        DataError: Where not exactly one model speaks of a dataset.
    """
    for models in seeds:
        for name in benchmark.scored_datasets:
            if (count := sum(name in model for model in models)) != 1:
                raise _other_than_one(name, count)
    return np.array(
        [[next(m[name] for m in models if name in m) for name in benchmark.scored_datasets] for models in seeds]
    )


def _other_than_one(dataset: str, count: int) -> DataError:
    return DataError(f'dataset {dataset!r} is scored by {count} models of a method; it must be one')


def _deviation(values: np.ndarray) -> float | None:
    std = deviation(values.tolist())
    return None if std is None else _rounded(std)


def _rounded(value: float) -> float:
    return round(float(value), 2)
