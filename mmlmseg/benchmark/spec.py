"""What a benchmark is: methods, data, budget, seeds; and the runs that it takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import OptionError, did_you_mean

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        name: What the table calls it.
        config: The file of its config, over all datasets of the benchmark.
        alone: Whether it is trained on each dataset alone; the models share the budget.
        options: What differs from the config, as ``--cfg-options``.
    """

    name: str
    config: str
    alone: bool = False
    options: Options = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One training: a method on one or all datasets with a seed.

    Attributes:
        name: Unique in the benchmark; also the name of its folder.
        method: The method.
        dataset: The only dataset of the run; None for all.
        seed: Of everything random.
        choice: Which of the benchmark's choices it tries; None for a final run, which is scored on the val split.
    """

    name: str
    method: Method
    dataset: str | None
    seed: int
    choice: int | None = None


@dataclass(frozen=True)
class Benchmark:
    """A comparison of methods under one total cost.

    Every method may train for ``iterations`` per dataset: a joint model for the number of datasets times as many, the
    models of one dataset each for that many. Where there are ``choices``, each method first tries all of them, trained
    on four fifths of the training images and scored on the last fifth (a block, as neighbours in a list are often alike)
    with the first seed, and takes its best one to the final runs.

    Attributes:
        name: The stem of the benchmark's file; results are called after it.
        title: The heading of the table.
        metric: The headline, ``mIoU`` or ``PQ``.
        reference: The method that the others are compared with.
        datasets: Names of datasets of the configs, in the order of the table.
        methods: The rows.
        iterations: Per dataset.
        seeds: Of the final runs.
        readings: Evaluations along each final run, evenly spaced; the last one is the result.
        scored: The datasets that count; all by default.
        options: What all runs change in their configs, as ``--cfg-options``.
        choices: Options that every method may choose from.
    """

    name: str
    title: str
    metric: str
    reference: str
    datasets: tuple[str, ...]
    methods: tuple[Method, ...]
    iterations: int
    seeds: tuple[int, ...] = (0,)
    readings: int = 1
    scored: tuple[str, ...] = ()
    options: Options = field(default_factory=dict)
    choices: tuple[Options, ...] = ()

    @classmethod
    def from_file(cls, path: str | Path) -> Benchmark:
        """Reads a benchmark from a YAML file, whose keys are the attributes.

        Raises:
            OptionError: Where the file is missing, lacks a key or has one too many, or a name in it is unknown.
        """
        path = Path(path)
        if not path.is_file():
            near = did_you_mean(path.name, [other.name for other in path.parent.glob('*.yml')])
            raise OptionError(f'{path}: no such benchmark file.{near}')
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
        try:
            methods = tuple(Method(**method) for method in content.pop('methods'))
            lists = {
                key: tuple(content.pop(key)) for key in ('datasets', 'seeds', 'scored', 'choices') if key in content
            }
            benchmark = cls(name=path.stem, methods=methods, **lists, **content)
        except (TypeError, KeyError, AttributeError) as error:
            raise OptionError(f'{path}: not a benchmark: {error}') from None
        names = [method.name for method in benchmark.methods]
        if benchmark.reference not in names or len(set(names)) < len(names):
            raise OptionError(
                f'{path}: the reference {benchmark.reference!r} must be one of the methods, each of a name of its own: '
                f'{", ".join(names)}'
            )
        for name in benchmark.scored:
            if name not in benchmark.datasets:
                raise OptionError(f'{path}: scored names {name!r}.{did_you_mean(name, benchmark.datasets)}')
        if benchmark.iterations % benchmark.readings:
            raise OptionError(
                f'{path}: {benchmark.iterations} iterations cannot be read {benchmark.readings} times evenly'
            )
        return benchmark

    @property
    def scored_datasets(self) -> tuple[str, ...]:
        """The datasets that count."""
        return self.scored or self.datasets

    def trained_on(self, run: Run) -> tuple[str, ...]:
        """The datasets of a run."""
        return self.datasets if run.dataset is None else (run.dataset,)

    def tuning_runs(self) -> Iterator[Run]:
        """The runs that try the choices, none where there is nothing to choose."""
        for choice in range(len(self.choices) if len(self.choices) > 1 else 0):
            for method in self.methods:
                yield from self._runs(method, self.seeds[0], choice)

    def final_runs(self) -> Iterator[Run]:
        """The runs that the table is made from, one seed of all methods after the other."""
        for seed in self.seeds:
            for method in self.methods:
                yield from self._runs(method, seed, None)

    def _runs(self, method: Method, seed: int, choice: int | None) -> Iterator[Run]:
        for dataset in self.scored_datasets if method.alone else (None,):
            parts = [_slug(method.name), dataset, f'choice{choice}' if choice is not None else None, f'seed{seed}']
            yield Run('_'.join(part for part in parts if part), method, dataset, seed, choice)


def read_lines(path: str | Path) -> dict[str, dict[str, Any]]:
    """Reads the finished runs of a benchmark: one JSON object a line, by the name of the run."""
    path = Path(path)
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    return {line['run']: line for line in map(json.loads, filter(str.strip, lines))}


def append_line(path: str | Path, line: Mapping[str, Any]) -> None:
    """Adds a finished run."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a', encoding='utf-8') as file:
        file.write(json.dumps(line) + '\n')


def _slug(name: str) -> str:
    return ''.join(c if c.isalnum() else '-' for c in name.lower()).strip('-').replace('--', '-')
