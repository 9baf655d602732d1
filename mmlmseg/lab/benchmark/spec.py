"""What a benchmark is: methods, data, budget, seeds; and the runs that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from ...config import read_config
from ...errors import OptionError, did_you_mean
from .data import mixed_datasets
from .faults import faults
from .runs import Method, Options, Run
from .schema import fill


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
        metric: The headline, ``mIoU``, ``PQ`` or ``PIQ``.
        reference: The method that the others are compared with.
        datasets: Names of the datasets to train on, in the order of the table.
        methods: The rows.
        iterations: Per dataset.
        seeds: Of the final runs.
        readings: Evaluations along each final run, evenly spaced; the last one is the result.
        scored: The datasets that count; all by default. Those that are none of ``datasets`` are never trained on: every
            model that knows their label space is asked. Some may be mixed, with truth in several label spaces: they
            are asked in all of them at once.
        also: Further columns of the table, written ``DATASET/KEY``; their datasets are evaluated too.
        options: What all runs change in their configs, as ``--cfg-options``.
        choices: Options that every method may choose from, at least two.
        mixed: Those of the evaluated datasets that are mixed; known from the reference's config, no key of the file.
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
    also: tuple[str, ...] = ()
    options: Options = field(default_factory=dict)
    choices: tuple[Options, ...] = ()
    mixed: tuple[str, ...] = ()

    @classmethod
    def from_file(cls, path: str | Path) -> Benchmark:
        """Reads a benchmark from a YAML file, whose keys are the attributes.

        Raises:
            OptionError: Where the file is missing, lacks a key or has one too many, or a value cannot be; file and key
                are named. Also where datasets beyond those to train on are evaluated and there is no config to look
                them up.
        """
        path = Path(path)
        if not path.is_file():
            near = did_you_mean(path.name, [other.name for other in path.parent.glob('*.yml')])
            raise OptionError(f'{path}: no such benchmark file.{near}')
        try:
            content = yaml.safe_load(path.read_text(encoding='utf-8'))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise OptionError(f'{path}: not valid YAML: {" ".join(str(error).split())}') from None
        benchmark = fill(cls, content, str(path), name=path.stem, mixed=())
        others = [name for name in benchmark.evaluated_datasets if name not in benchmark.datasets]
        reference = next((method for method in benchmark.methods if method.name == benchmark.reference), None)
        if others and reference is not None:
            benchmark = replace(benchmark, mixed=mixed_datasets(read_config(reference.config), others))
        for fault in faults(benchmark):
            raise OptionError(f'{path}: {fault}')
        return benchmark

    @property
    def scored_datasets(self) -> tuple[str, ...]:
        """The datasets that count."""
        return self.scored or self.datasets

    @property
    def evaluated_datasets(self) -> tuple[str, ...]:
        """The datasets that count, and those of the further columns."""
        return tuple(dict.fromkeys([*self.scored_datasets, *(name.partition('/')[0] for name in self.also)]))

    def trained_on(self, run: Run) -> tuple[str, ...]:
        """The datasets of a run, or of all its members."""
        return self.datasets if run.dataset is None else (run.dataset,)

    def scored_by(self, run: Run) -> tuple[str, ...]:
        """The datasets that count and that the run is trained on, or no run is; several models are only asked together
        what none could be asked alone."""
        return self._asked(run, self.scored_datasets)

    def evaluated_by(self, run: Run) -> tuple[str, ...]:
        """The same, with those of the further columns; tuning needs none of these."""
        return self._asked(run, self.evaluated_datasets if run.choice is None else self.scored_datasets)

    def _asked(self, run: Run, names: Sequence[str]) -> tuple[str, ...]:
        if run.members:
            return tuple(name for name in names if name in self.mixed)
        trained = self.trained_on(run)
        return tuple(name for name in names if name in trained or name not in self.datasets)

    def length_of(self, run: Run) -> int:
        """The iterations of a run, or of all its members."""
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
        def run(part: str | None, dataset: str | None, members: Sequence[Run] = ()) -> Run:
            parts = [method.slug, part, f'choice{choice}' if choice is not None else None, f'seed{seed}']
            return Run('_'.join(part for part in parts if part), method, dataset, seed, choice, tuple(members))

        if not method.alone:
            yield run(None, None)
            return
        datasets = self.datasets if self.mixed else [name for name in self.scored_datasets if name in self.datasets]
        members = [run(dataset, dataset) for dataset in datasets]
        yield from members
        if self.mixed:
            yield run('union', None, members)
