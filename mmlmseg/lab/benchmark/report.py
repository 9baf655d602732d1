"""From the results of a benchmark's runs to its table and curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ...errors import DataError, did_you_mean
from .run import Result
from .spec import Benchmark, Options, Run
from .statistics import deviation, interval, p_value, resampled_means

SIGNIFICANT = 0.05
"""Differences whose p value is below are shown so that a reader sees them."""

_OF_SEEDS = (
    f' p: two-sided, of the same draws, bold below {SIGNIFICANT}; from few seeds it is too small, so read it with the '
    'differences by seed.'
)

Seeds = Sequence[Sequence[Result]]
"""The results of a method: for each seed, one a run."""


@dataclass(frozen=True)
class Row:
    """A method's result; the reference itself has neither difference nor interval."""

    method: str
    models: int  # how many the method takes
    text: str  # what the models read class names with
    cost: int  # iterations of all its models together
    options: Sequence[Options]  # of each model, the choice that it was trained with
    scores: Mapping[str, float]  # the headline by dataset, mean over seeds
    mean: float  # over the datasets
    std: float | None  # of the mean over seeds; None with one seed
    difference: float | None = None  # the mean less the reference's
    # Where 95 % of the differences lie when validation images, and of several the seeds, are drawn again, with the same
    # draws for both methods.
    interval: tuple[float, float] | None = None
    # With several seeds: the two-sided p value of the difference, and the differences of the single seeds.
    p: float | None = None
    by_seed: Sequence[float] = ()
    # What the further columns show, mean over seeds; None where no model of the method could be asked.
    also: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """A table and its curves."""

    benchmark: Benchmark  # what was compared
    batch_size: int  # images an iteration
    rows: Sequence[Row]  # one a method that has finished
    curves: Mapping[str, Sequence[Mapping[str, Any]]]  # by method, points of cost and mean score along the runs
    missing: Sequence[str]  # names of the runs that have not finished
    kinds: Mapping[str, str]  # which columns are comparable with the literature, which are ours

    def to_dict(self) -> dict[str, Any]:
        """Plain Python data, without further columns and what several seeds tell where there are none."""
        return dict(
            title=self.benchmark.title,
            metric=self.benchmark.metric,
            kinds=self.kinds,
            reference=self.benchmark.reference,
            seeds=len(self.benchmark.seeds),
            choices=len(self.benchmark.choices),
            batch_size=self.batch_size,
            rows=[
                {key: value for key, value in asdict(row).items() if value or key not in ('also', 'p', 'by_seed')}
                for row in self.rows
            ],
            curves=self.curves,
            missing=self.missing,
        )

    def to_markdown(self) -> str:
        """The table under its heading, with what a reader must know to trust it."""
        rows, costs = self.rows, {row.cost for row in self.rows}
        datasets, also = ([*rows[0].scores], [*rows[0].also]) if rows else ([], [])
        columns = dict(
            method=[row.method for row in rows],
            models=[str(row.models) for row in rows],
            text=[row.text for row in rows],
        )
        if len(costs) > 1:
            columns['iterations'] = [str(row.cost) for row in rows]
        if len(datasets) > 1:  # else it is the mean
            columns |= {name: _best_bold([row.scores[name] for row in rows]) for name in datasets}
        std = ['' if row.std is None else f' ± {row.std:.1f}' for row in rows]
        means = _best_bold([row.mean for row in rows])
        columns[datasets[0] if len(datasets) == 1 else 'mean'] = [''.join(pair) for pair in zip(means, std)]
        columns[f'minus {self.benchmark.reference} [95 %]'] = [paired(row) for row in rows]
        if len(self.benchmark.seeds) > 1:
            columns['p'] = [_p(row) for row in rows]
            columns['by seed'] = [', '.join(f'{value:+.1f}' for value in row.by_seed) or '-' for row in rows]
        further = {name: [row.also[name] for row in rows] for name in also}
        columns |= {name: ['-' if v is None else f'{v:.1f}' for v in values] for name, values in further.items()}
        first, *others = [f'| {" | ".join(cells)} |' for cells in (columns, *zip(*columns.values()))]
        lines = [f'### {self.benchmark.title}', '', first, f'|{"---|" * 3}{"---:|" * (len(columns) - 3)}', *others]
        lines += ['', self._conditions(f'{max(costs, default=0)} iterations' if len(costs) == 1 else 'iterations')]
        if self.missing:
            lines += ['', f'Not finished: {", ".join(self.missing)}.']
        return '\n'.join(lines) + '\n'

    def _conditions(self, cost: str) -> str:
        metric, choices, seeds = self.benchmark.metric, len(self.benchmark.choices), len(self.benchmark.seeds)
        tuned = f', with the best of {choices} settings on held-out training images' if choices else ''
        repeated = f'mean over {seeds} seeds ± standard deviation' if seeds > 1 else 'one seed'
        drawn = 'seeds and validation images' if seeds > 1 else 'validation images'
        own = [name for name, kind in self.kinds.items() if kind == 'ours']
        differing = self.benchmark.differing
        unlike = f' Methods differ in {", ".join(differing)} too.' if differing else ''
        ours = f' By definitions of our own, not those of the literature: {", ".join(own)}.' if own else ''
        return (
            f'{metric} in percent; {cost} of {self.batch_size} images for each method{tuned}; {repeated}. In brackets: '
            f'where 95 % of the differences lie when {drawn} are drawn again with replacement, the same for '
            f'both methods.{_OF_SEEDS if seeds > 1 else ""}{unlike}{ours}'
        )


def make_report(benchmark: Benchmark, results: Mapping[str, Result]) -> Report:
    """Puts the results of finished runs, by their names, together: a row for each method all of whose runs are there.

    Raises:
        DataError: Where a result is of another budget or batch size, or lacks a further column, or a dataset is not
            scored, or scored twice.
    """
    runs = benchmark.final_runs()
    finished = [run for run in runs if run.name in results]
    batch_size = results[finished[0].name]['batch_size'] if finished else 0
    for run in finished:
        _check(benchmark, run, results[run.name], batch_size)
    done: dict[str, Seeds] = {}
    for method in benchmark.methods:
        wanted = [run for run in runs if run.method == method]
        if all(run in finished for run in wanted):
            done[method.name] = [[results[run.name] for run in wanted if run.seed == seed] for seed in benchmark.seeds]
    return Report(
        benchmark=benchmark,
        batch_size=batch_size,
        rows=[_row(benchmark, name, own, done.get(benchmark.reference)) for name, own in done.items()],
        curves={name: _curve(benchmark, own) for name, own in done.items()},
        missing=[run.name for run in runs if run not in finished],
        kinds=_kinds(benchmark, [results[run.name] for run in finished]),
    )


def _kinds(benchmark: Benchmark, results: Sequence[Result]) -> dict[str, str]:
    """What the finished runs say of each column of the table; nothing is known of lines that are older than this."""
    told = {
        f'{name}/{key}': kind
        for one in results
        for name, own in one.get('kinds', {}).items()
        for key, kind in own.items()
    }
    columns = {f'{name}/{benchmark.metric}': benchmark.metric for name in benchmark.scored_datasets}
    columns |= {name: name for name in benchmark.also}
    return {shown: told[name] for name, shown in columns.items() if name in told}


def _check(benchmark: Benchmark, run: Run, result: Result, batch_size: int) -> None:
    for key, wanted in (('iterations', run.iterations), ('batch_size', batch_size)):
        if result[key] != wanted:
            raise DataError(
                f'run {run.name!r} has {key} {result[key]}, the benchmark wants {wanted}; delete its line to do it '
                'again'
            )
    for name in benchmark.also:
        dataset, _, key = name.partition('/')
        # A model of one dataset may not know the label space of one that no model is trained on.
        due = dataset in run.evaluated and run.dataset in (None, dataset)
        if (due or dataset in result['scores']) and key not in result['scores'].get(dataset, {}):
            known = [f'{own}/{k}' for own, scores in result['scores'].items() for k in scores]
            raise DataError(
                f'run {run.name!r} has no {name}, which `also` asks for, only {", ".join(known)}.'
                f'{did_you_mean(name, known)} Correct it, or delete the line to do the run again'
            )


def _row(benchmark: Benchmark, name: str, own: Seeds, reference: Seeds | None) -> Row:
    scores = _scores(benchmark, own)
    models = _models(own)
    row = Row(
        method=name,
        models=len(models),
        text=models[0]['text'],
        cost=_cost(own),
        options=[result['options'] for result in models],
        scores={dataset: _rounded(mean) for dataset, mean in zip(benchmark.scored_datasets, scores.mean(0))},
        mean=_rounded(scores.mean()),
        std=_std(scores),
        also={name: _further(name, own) for name in benchmark.also},
    )
    if reference is None or name == benchmark.reference:
        return row
    resampled, others = (  # [S, R], the means over datasets
        _table(benchmark, seeds, lambda result: result['resamples']).mean(1) for seeds in (own, reference)
    )
    drawn = resampled_means(resampled - others)
    low, high = interval(drawn)
    by_seed = (scores - _scores(benchmark, reference)).mean(1)
    row = replace(row, difference=_rounded(by_seed.mean()), interval=(_rounded(low), _rounded(high)))
    if len(own) == 1:  # images alone do not tell what another training would give
        return row
    return replace(row, p=round(p_value(drawn, resampled.shape[1]), 3), by_seed=[_rounded(one) for one in by_seed])


def _curve(benchmark: Benchmark, own: Seeds) -> list[dict[str, Any]]:
    """Cost and mean score at each reading; models of one dataset each are read at the same share of their budget.

    A reading that a run lacks has no point.
    """

    def read(result: Result, part: int) -> dict[str, float]:
        step = str(round(result['iterations'] * (part / benchmark.readings)))
        return {name: series.get(step, np.nan) for name, series in result['readings'].items()}

    points = []
    for part in range(1, benchmark.readings + 1):
        values = _table(benchmark, own, lambda result, part=part: read(result, part))
        if not np.isnan(values).any():
            cost = _cost(own) * part // benchmark.readings
            points.append(dict(cost=cost, mean=_rounded(values.mean()), std=_std(values)))
    return points


def _further(name: str, own: Seeds) -> float | None:
    """A further column of the table, the mean over seeds; None where no model of the method could be asked."""
    dataset, _, key = name.partition('/')
    values = [[one['scores'][dataset][key] for one in results if dataset in one['scores']] for results in own]
    if (most := max(map(len, values))) > 1:
        raise _other_than_one(dataset, most)
    return _rounded(np.concatenate(values).mean()) if most else None


def _models(own: Seeds) -> Sequence[Result]:
    """The results of the trainings with the first seed, without that of all models together."""
    return [result for result in own[0] if not result.get('members')]


def _cost(own: Seeds) -> int:
    return sum(result['iterations'] for result in _models(own))


def _scores(benchmark: Benchmark, own: Seeds) -> np.ndarray:
    """The headline for each seed and dataset, [S, D]."""
    metric = benchmark.metric
    return _table(benchmark, own, lambda r: {name: own[metric] for name, own in r['scores'].items() if metric in own})


def _table(benchmark: Benchmark, own: Seeds, read: Callable[[Result], Mapping[str, Any]]) -> np.ndarray:
    """What the results of each seed say of the datasets, in the order of the table: [S, D, ...]."""
    table = []
    for said in ([read(result) for result in results] for results in own):
        for name in benchmark.scored_datasets:
            if (count := sum(name in one for one in said)) != 1:
                raise _other_than_one(name, count)
        table.append([next(one[name] for one in said if name in one) for name in benchmark.scored_datasets])
    return np.array(table)


def _other_than_one(dataset: str, count: int) -> DataError:
    return DataError(f'dataset {dataset!r} is scored by {count} models of a method; it must be one')


def _std(scores: np.ndarray) -> float | None:
    """The deviation over seeds of the mean over datasets, of [S, D]."""
    std = deviation(scores.mean(1).tolist())
    return None if std is None else _rounded(std)


def _rounded(value: float) -> float:
    return round(float(value), 2)


def _best_bold(values: Sequence[float]) -> list[str]:
    """Scores as the table shows them, the best ones bold."""
    shown = [f'{value:.1f}' for value in values]
    best = f'{max(values, default=0):.1f}'
    return [f'**{one}**' if one == best else one for one in shown]


def paired(row: Row) -> str:
    """The difference to the reference and its interval, as tables show them."""
    if row.difference is None or row.interval is None:
        return '-'
    return f'{row.difference:+.1f} [{row.interval[0]:+.1f}, {row.interval[1]:+.1f}]'


def _p(row: Row) -> str:
    if row.p is None:
        return '-'
    return f'**{row.p:.3f}**' if row.p < SIGNIFICANT else f'{row.p:.3f}'
