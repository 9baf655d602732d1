"""Reads all samples of some sources, many at once, and brings together what is found."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .building import Source
from .classes import SpaceCount, count_classes, findings_of_classes
from .copies import find_copies, findings_of_copies
from .findings import KINDS, Case, Fault, Finding, worst_first
from .meanings import findings_of_names, findings_of_shared_pictures
from .reading import read_sample
from .records import Sample

_AHEAD = 1024  # samples that are handed to the threads at a time


@dataclass(frozen=True)
class Examined:
    """A source with the records of its samples, and the counts of its classes, one for each label space."""

    source: Source
    samples: tuple[Sample, ...]
    counts: tuple[SpaceCount, ...]


@dataclass(frozen=True)
class Examination:
    """All that was seen.

    Attributes:
        examined: The sources.
        findings: Errors first.
        seconds: How long reading took.
    """

    examined: tuple[Examined, ...]
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def images(self) -> int:
        """How many samples were read."""
        return sum(len(one.samples) for one in self.examined)


def examine(
    sources: Sequence[Source], workers: int | None = None, advance: Callable[[int], None] = lambda done: None
) -> Examination:
    """Reads every sample of some sources and judges them.

    Args:
        sources: What is looked at.
        workers: Threads that read; by default as many as there are processors.
        advance: Called with how many samples were read since the last call.
    """
    start = time.perf_counter()
    examined = []
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for source in sources:
            samples: list[Sample] = []
            places = iter(source.samples)
            while chunk := list(islice(places, _AHEAD)):
                for sample in pool.map(lambda one: _record(one, source), chunk):  # noqa: B023
                    samples.append(sample)
                    advance(1)
            examined.append(Examined(source, tuple(samples), tuple(count_classes(source, samples))))
    seconds = time.perf_counter() - start
    return Examination(tuple(examined), tuple(worst_first(_judged(examined))), seconds)


def _record(place: tuple[Any, int], source: Source) -> Sample:
    """What is kept of a sample: not its pixels."""
    return read_sample(place[0], place[1], source.spaces)[0]


def _judged(examined: Sequence[Examined]) -> Iterator[Finding]:
    held: dict[str, set[str]] = defaultdict(set)
    for count in (count for one in examined for count in one.counts):
        held[count.space.name].update(one.name for one in count.classes if one.pixels)
    for number, one in enumerate(examined):
        yield from one.source.findings
        yield from _findings_of_faults(number, one)
        yield from findings_of_classes(number, one.source, one.samples, one.counts, held)
    sources, samples = [one.source for one in examined], [one.samples for one in examined]
    copies = find_copies(samples)
    yield from findings_of_copies(copies, sources, samples)
    yield from findings_of_shared_pictures(copies, sources, samples)
    yield from findings_of_names([(one.source.label, space) for one in examined for space in one.source.spaces])


def _findings_of_faults(number: int, examined: Examined) -> Iterator[Finding]:
    """The faults of samples, those of a kind together."""
    cases: dict[str, list[Case]] = defaultdict(list)
    for place, sample in enumerate(examined.samples):
        turned = (
            [Fault('turned', f'is turned by EXIF orientation {sample.orientation}')] if sample.orientation != 1 else []
        )
        for code, message, file in (*sample.faults, *turned):
            cases[code].append(
                Case(f'{file or sample.image}: {message}', (sample.image, *sample.labels), ((number, place),))
            )
    for code, own in cases.items():
        affected = len({case.places for case in own})
        what = f'{affected} of {len(examined.samples)} samples: {KINDS[code].title}'
        yield Finding(code, examined.source.label, what, tuple(own))
