"""What a benchmark cannot ask, though each value by itself could stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import did_you_mean
from .headlines import HEADLINES

if TYPE_CHECKING:
    from .spec import Benchmark


def faults(benchmark: Benchmark) -> Iterator[str]:
    """Each fault in words that begin with the key of the benchmark's file."""
    if benchmark.metric not in HEADLINES:
        yield f'metric is {benchmark.metric!r}; choose from {", ".join(HEADLINES)}'
    yield from _faults_of_lists(benchmark)
    names = [method.name for method in benchmark.methods]
    if benchmark.reference not in names:
        yield f'reference is {benchmark.reference!r}, none of the methods: {", ".join(names)}.' + did_you_mean(
            benchmark.reference, names
        )
    if not set(benchmark.scored_datasets) & {*benchmark.datasets, *benchmark.mixed}:
        yield f'scored names none of the datasets: {", ".join(benchmark.datasets)}'
    for name in benchmark.also:
        if not all(name.partition('/')):
            yield f'also: {name!r} is not written DATASET/KEY, as in camvid11/PQ'
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


def _faults_of_lists(benchmark: Benchmark) -> Iterator[str]:
    needed = dict(
        datasets=benchmark.datasets, methods=[method.slug for method in benchmark.methods], seeds=benchmark.seeds
    )
    for key, values in needed.items():
        if not values:
            yield f'{key} lists nothing'
    for key, values in dict(needed, scored=benchmark.scored, also=benchmark.also).items():
        if twice := sorted({str(value) for value in values if list(values).count(value) > 1}):
            yield f'{key} lists {", ".join(twice)} more than once'
