"""What a benchmark is: methods, data, budget, seeds; and the runs that it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import OptionError, did_you_mean
from .schema import fill

Options = Mapping[str, Any]
METRICS = ('mIoU', 'PQ')


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        name: What the table calls it.
        config: The file of its config, over all datasets of the benchmark.
        alone: Whether it is trained on each dataset alone; the models share the budget.
        iterations: Per dataset, where they are not those of the benchmark.
        options: What differs from the config, as ``--cfg-options``.
    """

    name: str
    config: str
    alone: bool = False
    iterations: int | None = None
    options: Options = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """Its name in names of files."""
        return re.sub(r'[\W_]+', '-', self.name.lower()).strip('-')


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
    models of one dataset each for that many. A method may say otherwise; the table then shows what each costs. Where
    there are ``choices``, each method first tries all of them, trained on four fifths of the training images and scored
    on the last fifth (a block, as neighbours in a list are often alike) with the first seed, and takes its best one to
    the final runs.

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
        scored: The datasets that count; all by default. Those that are none of ``datasets`` are never trained on: every
            model that knows their label space is asked.
        options: What all runs change in their configs, as ``--cfg-options``.
        choices: Options that every method may choose from, at least two.
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
            OptionError: Where the file is missing, lacks a key or has one too many, or a value cannot be; file and key
                are named.
        """
        path = Path(path)
        if not path.is_file():
            near = did_you_mean(path.name, [other.name for other in path.parent.glob('*.yml')])
            raise OptionError(f'{path}: no such benchmark file.{near}')
        try:
            content = yaml.safe_load(path.read_text(encoding='utf-8'))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise OptionError(f'{path}: not valid YAML: {" ".join(str(error).split())}') from None
        benchmark = fill(cls, content, str(path), name=path.stem)
        for fault in benchmark._faults():
            raise OptionError(f'{path}: {fault}')
        return benchmark

    def _faults(self) -> Iterator[str]:
        """What cannot be, though each value by itself could."""
        if self.metric not in METRICS:
            yield f'metric is {self.metric!r}; choose from {", ".join(METRICS)}'
        names = [method.name for method in self.methods]
        slugs = [method.slug for method in self.methods]
        for key, values in dict(datasets=self.datasets, methods=slugs, seeds=self.seeds).items():
            if not values:
                yield f'{key} lists nothing'
        for key, values in dict(datasets=self.datasets, methods=slugs, seeds=self.seeds, scored=self.scored).items():
            if twice := sorted({str(value) for value in values if list(values).count(value) > 1}):
                yield f'{key} lists {", ".join(twice)} more than once'
        if self.reference not in names:
            yield f'reference is {self.reference!r}, none of the methods: {", ".join(names)}.' + did_you_mean(
                self.reference, names
            )
        if not set(self.scored_datasets) & set(self.datasets):
            yield f'scored names none of the datasets: {", ".join(self.datasets)}'
        if self.readings < 1:
            yield f'readings is {self.readings}; each run is read once at least'
        for iterations in (self.iterations, *(method.iterations for method in self.methods)):
            if iterations is not None and (iterations < 1 or iterations % self.readings):
                yield f'iterations: {iterations} cannot be read {self.readings} times at even distances'
        if len(self.choices) == 1:
            yield 'choices holds one entry, which leaves no choice; move it to options'

    @property
    def scored_datasets(self) -> tuple[str, ...]:
        """The datasets that count."""
        return self.scored or self.datasets

    def trained_on(self, run: Run) -> tuple[str, ...]:
        """The datasets of a run."""
        return self.datasets if run.dataset is None else (run.dataset,)

    def scored_by(self, run: Run) -> tuple[str, ...]:
        """The datasets that count and that the run is trained on, or no run is."""
        trained = self.trained_on(run)
        return tuple(name for name in self.scored_datasets if name in trained or name not in self.datasets)

    def length_of(self, run: Run) -> int:
        """The iterations of a run."""
        return (run.method.iterations or self.iterations) * len(self.trained_on(run))

    def runs(self) -> list[Run]:
        """All runs, in the order in which they are done."""
        return [*self.tuning_runs(), *self.final_runs()]

    def tuning_runs(self) -> Iterator[Run]:
        """The runs that try the choices, none where there is nothing to choose."""
        for choice in range(len(self.choices)):
            for method in self.methods:
                yield from self._runs(method, self.seeds[0], choice)

    def final_runs(self) -> Iterator[Run]:
        """The runs that the table is made from, one seed of all methods after the other."""
        for seed in self.seeds:
            for method in self.methods:
                yield from self._runs(method, seed, None)

    def _runs(self, method: Method, seed: int, choice: int | None) -> Iterator[Run]:
        for dataset in [name for name in self.scored_datasets if name in self.datasets] if method.alone else [None]:
            parts = [method.slug, dataset, f'choice{choice}' if choice is not None else None, f'seed{seed}']
            yield Run('_'.join(part for part in parts if part), method, dataset, seed, choice)
