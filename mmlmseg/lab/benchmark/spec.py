"""What a benchmark is: methods, data, budget and seeds; the YAML file that says so; and the runs that it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml
from mmengine.config import Config

from ...config import innermost, parts_of, read_config, space_names
from ...errors import OptionError, did_you_mean
from ...evaluation.keys import is_class_key
from ...evaluation.metrics.common import ClassMetric
from ...registry import METRICS

T = TypeVar('T')
Options = Mapping[str, Any]

BASES = Path('configs/_base_')
"""Where the models and the data of benchmarks are, seen from the working directory, as all paths of configs are."""

_CALLED = {bool: 'true or false', int: 'a whole number', str: 'text', Mapping: 'keys with values'}


@dataclass(frozen=True)
class Method:
    """One row of the table.

    A method is trained on all datasets of the benchmark, or one model on each alone; these share the budget, and asked
    for several label spaces at once, they answer together.
    """

    name: str  # what the table calls it
    config: str | None = None  # the file of its config, over all datasets of the benchmark
    model: str | None = None  # in its place, a model in configs/_base_/models, trained on the benchmark's data
    alone: bool = False  # whether it is trained on each dataset alone
    iterations: int | None = None  # per dataset, where they are not those of the benchmark
    options: Options = field(default_factory=dict)  # what differs from the config, as --cfg-options

    @property
    def slug(self) -> str:
        """The name of the method in names of files."""
        return re.sub(r'[\W_]+', '-', self.name.lower()).strip('-')


@dataclass(frozen=True)
class Run:
    """One training, or the evaluation of several trained models together, the members."""

    name: str  # unique in the benchmark; also the name of its folder
    method: Method
    seed: int  # of everything random
    iterations: int  # of the training, or of all its members'
    trained: tuple[str, ...]  # the datasets that it, or its members, are trained on
    scored: tuple[str, ...]  # the datasets that count and are trained on here or nowhere; with members, the mixed
    evaluated: tuple[str, ...]  # the same with those of the further columns, which tuning does without
    dataset: str | None = None  # the only dataset of the training; None for all
    choice: int | None = None  # which of the choices it tries; None for a final run, which is scored on the val split
    members: tuple[Run, ...] = ()  # the runs whose models it puts together and evaluates; empty for a training


@dataclass(frozen=True)
class Benchmark:
    """A comparison of methods under one total cost.

    Every method may train for ``iterations`` per dataset: a joint model for the number of datasets times as many, the
    models of one dataset each for that many. A method may say otherwise; the table then shows what each costs. Where
    there are ``choices``, each method first tries all of them, trained on four fifths of the training images and scored
    on the last fifth (a block, as neighbours in a list are often alike) with the first seed, and takes its best one to
    the final runs.

    Datasets that are scored but none of ``datasets`` are never trained on: every model that knows their label space is
    asked. Some may be mixed, with truth in several label spaces: they are asked in all of them at once.
    """

    name: str  # the stem of the benchmark's file; results are called after it
    title: str  # the heading of the table
    metric: str  # the headline, the headline_key of a metric: mIoU, PQ or PIQ
    reference: str  # the method that the others are compared with
    datasets: tuple[str, ...]  # names of those to train on, in the order of the table
    methods: tuple[Method, ...]  # the rows
    iterations: int  # per dataset
    data: str | None = None  # the name of a file in configs/_base_/datasets, for methods that name a model
    seeds: tuple[int, ...] = (0,)  # of the final runs
    readings: int = 1  # evaluations along each final run, evenly spaced; the last one is the result
    scored: tuple[str, ...] = ()  # the datasets that count; by default those to train on
    unseen: tuple[str, ...] = ()  # those scored whose label spaces nothing is trained in: asked by their class names
    also: tuple[str, ...] = ()  # further columns of the table, written DATASET/KEY; their datasets are evaluated too
    options: Options = field(default_factory=dict)  # what all runs change in their configs, as --cfg-options
    differing: tuple[
        str, ...
    ] = ()  # the conditions, else the same for all, in which methods differ; told with the table
    choices: tuple[Options, ...] = ()  # options that every method may choose from, at least two
    mixed: tuple[str, ...] = ()  # the evaluated datasets that are mixed; told by the reference's data, not by the file

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
        config = next((own.config for own in benchmark.methods if own.name == benchmark.reference), None)
        file = config or (benchmark.data and BASES / 'datasets' / f'{benchmark.data}.py')
        if others and file:
            benchmark = replace(benchmark, mixed=mixed_datasets(read_config(file), others))
        for fault in _faults(benchmark):
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

    def runs(self) -> list[Run]:
        """All runs, in the order in which they are done."""
        return [*self.tuning_runs(), *self.final_runs()]

    def tuning_runs(self) -> list[Run]:
        """The runs that try the choices, none where there is nothing to choose."""
        choices = range(len(self.choices))
        return [run for choice in choices for own in self.methods for run in self._runs(own, self.seeds[0], choice)]

    def final_runs(self) -> list[Run]:
        """The runs that the table is made from, one seed of all methods after the other."""
        return [run for seed in self.seeds for method in self.methods for run in self._runs(method, seed, None)]

    def _runs(self, method: Method, seed: int, choice: int | None) -> Iterator[Run]:
        if not method.alone:
            yield self._run(method, seed, choice)
            return
        datasets = self.datasets if self.mixed else [name for name in self.scored_datasets if name in self.datasets]
        members = [self._run(method, seed, choice, dataset) for dataset in datasets]
        yield from members
        if self.mixed:
            yield self._run(method, seed, choice, members=members)

    def _run(
        self, method: Method, seed: int, choice: int | None, dataset: str | None = None, members: Sequence[Run] = ()
    ) -> Run:
        trained = self.datasets if dataset is None else (dataset,)

        def asked(names: Sequence[str]) -> tuple[str, ...]:
            if members:
                return tuple(name for name in names if name in self.mixed)
            return tuple(name for name in names if name in trained or name not in self.datasets)

        part = 'union' if members else dataset
        parts = [method.slug, part, None if choice is None else f'choice{choice}', f'seed{seed}']
        return Run(
            name='_'.join(part for part in parts if part),
            method=method,
            seed=seed,
            iterations=(method.iterations or self.iterations) * len(trained),
            trained=trained,
            scored=asked(self.scored_datasets),
            evaluated=asked(self.evaluated_datasets if choice is None else self.scored_datasets),
            dataset=dataset,
            choice=choice,
            members=tuple(members),
        )


def mixed_datasets(cfg: Config, names: Sequence[str]) -> tuple[str, ...]:
    """Which of some evaluated datasets ask a model for several label spaces at once."""
    parts = parts_of(cfg.val_dataloader.dataset)
    return tuple(name for name in names if name in parts and len(space_names(innermost(parts[name]))) > 1)


def fill(kind: type[T], content: object, where: str, **given: object) -> T:
    """Makes a dataclass of the keys and values that a file holds; errors begin with ``where``, the file and the key.

    Its fields are of plain types, ``X | None``, tuples of one type, mappings, or dataclasses.
    """
    if not isinstance(content, Mapping):
        raise _other(content, Mapping, where)
    hints = get_type_hints(kind)
    known = [f for f in fields(kind) if f.name not in given]  # type: ignore[arg-type]
    names = [f.name for f in known]
    for key in content:
        if key not in names:
            hint = did_you_mean(str(key), names) or f' Known: {", ".join(names)}'
            raise OptionError(f'{where}: unknown key {key!r}.{hint}')
    for f in known:
        if f.name not in content and f.default is MISSING and f.default_factory is MISSING:
            raise OptionError(f'{where}: lacks the key {f.name!r}')
    return kind(**given, **{key: _convert(value, hints[key], f'{where}: {key}') for key, value in content.items()})


def _convert(value: Any, hint: Any, where: str) -> Any:
    if isinstance(hint, UnionType):  # X | None
        return None if value is None else _convert(value, get_args(hint)[0], where)
    kind: Any = get_origin(hint) or hint
    if isinstance(kind, type) and is_dataclass(kind):
        return fill(kind, value, where)
    if kind is tuple:
        if not isinstance(value, list):
            raise OptionError(f'{where}: must be a list, got {value!r}')
        return tuple(_convert(item, get_args(hint)[0], f'{where}, entry {i}') for i, item in enumerate(value, 1))
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):  # a bool is an int
        raise _other(value, kind, where)
    return value


def _other(value: object, kind: type, where: str) -> OptionError:
    return OptionError(f'{where}: must be {_CALLED[kind]}, got {value!r}')


def _faults(benchmark: Benchmark) -> Iterator[str]:
    """What cannot be asked, though each value by itself could stand, in words that begin with the key."""
    names, slugs = [method.name for method in benchmark.methods], [method.slug for method in benchmark.methods]
    needed = dict(datasets=benchmark.datasets, methods=slugs, seeds=benchmark.seeds)
    for key, values in dict(needed, scored=benchmark.scored, also=benchmark.also).items():
        if key in needed and not values:
            yield f'{key} lists nothing'
        if twice := sorted({str(value) for value in values if list(values).count(value) > 1}):
            yield f'{key} lists {", ".join(twice)} more than once'
    for method in benchmark.methods:
        if (method.config is None) == (method.model is None):
            yield f'methods: {method.name!r} needs a config or a model, one of them'
        if method.model and not benchmark.data:
            yield f'data is missing: the model of {method.name!r} is trained on a file of {BASES}/datasets'
    measured = {kind.headline_key for kind in METRICS.module_dict.values() if issubclass(kind, ClassMetric)} - {''}
    if benchmark.metric not in measured:
        yield f'metric is {benchmark.metric!r}; choose from {", ".join(sorted(measured))}'
    if benchmark.reference not in names:
        near = did_you_mean(benchmark.reference, names)
        yield f'reference is {benchmark.reference!r}, none of the methods: {", ".join(names)}.{near}'
    for name in benchmark.unseen:
        if name in benchmark.datasets or name not in benchmark.scored:
            yield f'unseen: {name!r} must be one of scored, and none of datasets'
    if benchmark.unseen and any(method.alone for method in benchmark.methods):
        yield 'unseen: models of one dataset each (alone) cannot be asked for another; leave them out'
    if not set(benchmark.scored_datasets) & {*benchmark.datasets, *benchmark.mixed, *benchmark.unseen}:
        yield f'scored names none of the datasets: {", ".join(benchmark.datasets)}'
    for name in benchmark.also:
        if not all(name.partition('/')):
            yield f'also: {name!r} is not written DATASET/KEY, as in camvid11/PQ'
        if is_class_key(name):
            yield f'also: {name!r} is the result of a single class, which is not kept; choose one of all classes'
    if benchmark.readings < 1:
        yield f'readings is {benchmark.readings}; each run is read once at least'
    for iterations in (benchmark.iterations, *(method.iterations for method in benchmark.methods)):
        if iterations is not None and (iterations < 1 or iterations % benchmark.readings):
            yield f'iterations: {iterations} cannot be read {benchmark.readings} times at even distances'
    if len(benchmark.choices) == 1:
        yield 'choices holds one entry, which leaves no choice; move it to options'
    if benchmark.choices and benchmark.mixed:
        yield (
            'choices are made on held-out training images, which have no truth in several label spaces; leave them out '
            f'where {", ".join(benchmark.mixed)} is evaluated'
        )
