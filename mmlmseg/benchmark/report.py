"""From the result lines of a benchmark's runs to its table and curves."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .spec import Benchmark, Method
from .statistics import deviation, interval

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A method's result.

    Attributes:
        method: Its name.
        models: How many models it takes.
        text: What the models read class names with.
        cost: Iterations of all its models together.
        scores: The headline by dataset, mean over seeds.
        mean: Over the datasets.
        std: Of ``mean`` over seeds; None with one seed.
        difference: ``mean`` less the reference's; None for the reference itself.
        interval: Where 95 % of the differences lie when validation images are drawn again, with the same draws for
            both methods; None for the reference itself.
    """

    method: str
    models: int
    text: str
    cost: int
    scores: Mapping[str, float]
    mean: float
    std: float | None
    difference: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Report:
    """A table and its curves, see :func:`make_report`.

    Attributes:
        title: The heading.
        metric: The headline.
        reference: The method that others are compared with.
        seeds: How many.
        rows: One a method that has finished.
        curves: By method, points of cost and mean score along the runs.
        missing: Names of the runs that have not finished.
    """

    title: str
    metric: str
    reference: str
    seeds: int
    rows: Sequence[Row]
    curves: Mapping[str, Sequence[Mapping[str, Any]]]
    missing: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python data."""
        return asdict(self)

    def to_markdown(self) -> str:
        """The table, with what a reader must know to trust it."""
        datasets = list(self.rows[0].scores) if self.rows else []
        costs = len({row.cost for row in self.rows}) > 1  # are they worth a column?
        head = ['method', 'models', 'text', *(['iterations'] if costs else []), *datasets, 'mean']
        head.append(f'minus {self.reference} [95 %]')
        lines = [f'| {" | ".join(head)} |', f'|{"---|" * 3}{"---:|" * (len(head) - 3)}']
        best = {name: max(row.scores[name] for row in self.rows) for name in datasets}
        top = max((row.mean for row in self.rows), default=0.0)
        for row in self.rows:
            mean = _bold(row.mean, top) + ('' if row.std is None else f' ± {row.std:.1f}')
            paired = '–'
            if row.difference is not None and row.interval is not None:
                paired = f'{row.difference:+.1f} [{row.interval[0]:+.1f}, {row.interval[1]:+.1f}]'
            scores = [_bold(row.scores[name], best[name]) for name in datasets]
            first = [row.method, str(row.models), row.text, *([str(row.cost)] if costs else [])]
            lines.append(f'| {" | ".join([*first, *scores, mean, paired])} |')
        if self.missing:
            lines += ['', f'Not finished: {", ".join(self.missing)}.']
        return '\n'.join(lines) + '\n'


def make_report(benchmark: Benchmark, lines: Mapping[str, Line]) -> Report:
    """Puts the finished runs together.

    Args:
        benchmark: The benchmark.
        lines: Result lines by the name of their run.

    Returns:
        A row for each method all of whose runs have finished.
    """
    runs = list(benchmark.final_runs())
    done = {method.name: _done(benchmark, method, lines) for method in benchmark.methods}
    reference = done[benchmark.reference]
    rows = [_row(benchmark, method, done[method.name], reference) for method in benchmark.methods if done[method.name]]
    curves = {row.method: _curve(benchmark, done[row.method]) for row in rows}
    missing = [run.name for run in runs if run.name not in lines]
    return Report(benchmark.title, benchmark.metric, benchmark.reference, len(benchmark.seeds), rows, curves, missing)


def _done(benchmark: Benchmark, method: Method, lines: Mapping[str, Line]) -> dict[int, list[Line]]:
    """The lines of a method by seed; nothing where one is missing."""
    wanted = [run for run in benchmark.final_runs() if run.method == method]
    if any(run.name not in lines for run in wanted):
        return {}
    by_seed: dict[int, list[Line]] = defaultdict(list)
    for run in wanted:
        by_seed[run.seed].append(lines[run.name])
    return by_seed


def _row(
    benchmark: Benchmark, method: Method, own: Mapping[int, list[Line]], reference: Mapping[int, list[Line]]
) -> Row:
    metric, datasets = benchmark.metric, benchmark.scored_datasets
    scores = {
        seed: {name: score[metric] for line in lines for name, score in line['scores'].items()}
        for seed, lines in own.items()
    }
    means = [statistics.fmean(score[name] for name in datasets) for score in scores.values()]
    first = next(iter(own.values()))
    row = Row(
        method=method.name,
        models=len(first),
        text=first[0]['text'],
        cost=sum(line['iterations'] for line in first),
        scores={name: round(statistics.fmean(score[name] for score in scores.values()), 2) for name in datasets},
        mean=round(statistics.fmean(means), 2),
        std=deviation(means),
    )
    if method.name == benchmark.reference or not reference:
        return row
    mine, theirs = _resampled_means(own, datasets), _resampled_means(reference, datasets)
    reference_mean = statistics.fmean(
        score[metric] for lines in reference.values() for line in lines for score in line['scores'].values()
    )
    low, high = interval([a - b for a, b in zip(mine, theirs, strict=True)])
    return replace(row, difference=round(row.mean - reference_mean, 2), interval=(low, high))


def _resampled_means(lines: Mapping[int, list[Line]], datasets: Sequence[str]) -> list[float]:
    """The mean over datasets and seeds for each resampled set of images."""
    vectors = [line['resamples'][name] for own in lines.values() for line in own for name in line['resamples']]
    return [statistics.fmean(values) for values in zip(*vectors, strict=True)]


def _curve(benchmark: Benchmark, own: Mapping[int, list[Line]]) -> list[dict[str, Any]]:
    """Cost and mean score at each reading; models of one dataset each are read at the same share of their budget."""
    points = []
    for i in range(benchmark.readings):
        means = []
        for lines in own.values():
            means.append(
                statistics.fmean([*reading.values()][i] for line in lines for reading in line['readings'].values())
            )
        cost = sum(line['iterations'] for line in next(iter(own.values()))) * (i + 1) // benchmark.readings
        points.append(dict(cost=cost, mean=round(statistics.fmean(means), 2), std=deviation(means)))
    return points


def _bold(value: float, best: float) -> str:
    return f'**{value:.1f}**' if value == best else f'{value:.1f}'
