"""The table of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .runs import Options


@dataclass(frozen=True)
class Row:
    """A method's result.

    Attributes:
        method: Its name.
        models: How many models it takes.
        text: What the models read class names with.
        cost: Iterations of all its models together.
        options: Of each model, the choice that it was trained with.
        scores: The headline by dataset, mean over seeds.
        mean: Over the datasets.
        std: Of ``mean`` over seeds; None with one seed.
        difference: ``mean`` less the reference's; None for the reference itself.
        interval: Where 95 % of the differences lie when validation images are drawn again, with the same draws for
            both methods; None for the reference itself.
        also: What the further columns show, mean over seeds; None where no model of the method could be asked.
    """

    method: str
    models: int
    text: str
    cost: int
    options: Sequence[Options]
    scores: Mapping[str, float]
    mean: float
    std: float | None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    also: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """A table and its curves, see :func:`~mmlmseg.lab.benchmark.make_report`.

    Attributes:
        title: The heading.
        metric: The headline.
        reference: The method that others are compared with.
        seeds: How many.
        choices: How many each method had.
        batch_size: Images an iteration.
        rows: One a method that has finished.
        curves: By method, points of cost and mean score along the runs.
        missing: Names of the runs that have not finished.
    """

    title: str
    metric: str
    reference: str
    seeds: int
    choices: int
    batch_size: int
    rows: Sequence[Row]
    curves: Mapping[str, Sequence[Mapping[str, Any]]]
    missing: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python data, without further columns where there are none."""
        described = asdict(self)
        for row in described['rows']:
            if not row['also']:
                del row['also']
        return described

    def to_markdown(self) -> str:
        """The table under its heading, with what a reader must know to trust it."""
        datasets = list(self.rows[0].scores) if self.rows else []
        costs = {row.cost for row in self.rows}
        shown_cost = len(costs) > 1  # are they worth a column?
        also = list(self.rows[0].also) if self.rows else []
        mean = 'mean'
        if len(datasets) == 1:  # is the mean
            mean, datasets = datasets[0], []
        head = ['method', 'models', 'text', *(['iterations'] if shown_cost else []), *datasets, mean]
        head += [f'minus {self.reference} [95 %]', *also]
        lines = [f'### {self.title}', '', f'| {" | ".join(head)} |', f'|{"---|" * 3}{"---:|" * (len(head) - 3)}']
        best = {name: max(row.scores[name] for row in self.rows) for name in datasets}
        top = max((row.mean for row in self.rows), default=0.0)
        for row in self.rows:
            mean = _bold(row.mean, top) + ('' if row.std is None else f' ± {row.std:.1f}')
            paired = '-'
            if row.difference is not None and row.interval is not None:
                paired = f'{row.difference:+.1f} [{row.interval[0]:+.1f}, {row.interval[1]:+.1f}]'
            scores = [_bold(row.scores[name], best[name]) for name in datasets]
            first = [row.method, str(row.models), row.text, *([str(row.cost)] if shown_cost else [])]
            further = ['-' if (value := row.also[name]) is None else f'{value:.1f}' for name in also]
            lines.append(f'| {" | ".join([*first, *scores, mean, paired, *further])} |')
        lines += ['', self._conditions(None if shown_cost else max(costs, default=0))]
        if self.missing:
            lines += ['', f'Not finished: {", ".join(self.missing)}.']
        return '\n'.join(lines) + '\n'

    def _conditions(self, cost: int | None) -> str:
        trained = f'{f"{cost} iterations" if cost else "iterations"} of {self.batch_size} images for each method'
        tuned = f', with the best of {self.choices} settings on held-out training images' if self.choices else ''
        seeds = f'mean over {self.seeds} seeds ± standard deviation' if self.seeds > 1 else 'one seed'
        return (
            f'{self.metric} in percent; {trained}{tuned}; {seeds}. In brackets: where 95 % of the differences lie when '
            'validation images are drawn again with replacement, the same for both methods.'
        )


def _bold(value: float, best: float) -> str:
    shown = f'{value:.1f}'
    return f'**{shown}**' if shown == f'{best:.1f}' else shown
