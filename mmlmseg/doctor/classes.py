"""What the counted pixels of a dataset say of its classes: some without a pixel, tiny or huge, much that is ignored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..label_space import LabelSpace
from .building import Source
from .findings import Case, Finding, counted
from .records import Sample, Truth

TINY_SHARE, TINY_IMAGES = 1e-4, 3
"""A class is tiny with a smaller share of the labelled pixels, or in fewer images (of at least ten times as many)."""
HUGE_SHARE = 0.9
MUCH_IGNORED = 0.5
MANY_CROWDS = 0.3
"""The share of objects from which crowds look wrong; COCO has one crowd in a hundred."""


@dataclass(frozen=True)
class ClassCount:
    """How often a class occurs: its pixels, the images that hold it, and those in which somebody looked for it."""

    name: str
    pixels: int
    images: int
    searched: int


@dataclass(frozen=True)
class SpaceCount:
    """The counts of one label space of a dataset.

    Attributes:
        space: The label space.
        classes: In its order.
        ignored: Pixels that count nowhere.
        images: Images whose labels could be read.
        objects, crowds: Of annotation files, how many there are; None where labels are pixels.
        background: Whether pixels of no class are background, as outside of objects.
    """

    space: LabelSpace
    classes: tuple[ClassCount, ...]
    ignored: int
    images: int
    objects: int | None
    crowds: int
    background: bool

    @property
    def pixels(self) -> int:
        """Pixels of all classes."""
        return sum(one.pixels for one in self.classes)

    @property
    def ignore_share(self) -> float:
        """The share of the pixels that count nowhere; 0 where they are background."""
        return 0.0 if self.background else self.ignored / max(1, self.ignored + self.pixels)


def count_classes(source: Source, samples: Sequence[Sample]) -> list[SpaceCount]:
    """Counts pixels and images of each class, for each label space."""
    counts = []
    for which, space in enumerate(source.spaces):
        truths = [truth for sample in samples if (truth := sample.truths[which]) is not None]
        pixels: Counter[int] = Counter()
        images: Counter[int] = Counter()
        searched: Counter[int] = Counter()
        for truth in truths:
            searched.update(truth.searched or ())
            pixels.update(truth.pixels)
            images.update(truth.pixels.keys())
        for_all = sum(truth.searched is None for truth in truths)  # images that were searched for all classes
        counts.append(
            SpaceCount(
                space=space,
                classes=tuple(
                    ClassCount(name, pixels[i], images[i], for_all + searched[i])
                    for i, name in enumerate(space.classes)
                ),
                ignored=sum(truth.ignored for truth in truths),
                images=len(truths),
                objects=sum(t.objects or 0 for t in truths) if any(t.objects is not None for t in truths) else None,
                crowds=sum(truth.crowds for truth in truths),
                background=any(truth.background for truth in truths),
            )
        )
    return counts


def findings_of_classes(
    number: int, source: Source, samples: Sequence[Sample], counts: Sequence[SpaceCount], held: Mapping[str, set[str]]
) -> Iterator[Finding]:
    """Judges the counts of a source, the ``number``-th.

    Args:
        number, source, samples, counts: Of the source.
        held: The classes that have a pixel in any source, by label space.
    """
    for which, count in enumerate(counts):
        truths = [(place, sample.truths[which]) for place, sample in enumerate(samples)]
        known = [(place, truth) for place, truth in truths if truth is not None]
        if not known:
            continue
        if binary := _is_binary(count) and len(held[count.space.name]) == 1:
            yield _binary_mask(number, source, count, samples, known)
        elif not count.background:
            yield from _judge_ignored(number, source, count, samples, known)
        yield from _judge_shares(source, count, binary, held[count.space.name])
        if count.objects is not None:
            yield from _judge_objects(number, source, count, samples, known)


def _is_binary(count: SpaceCount) -> bool:
    """Whether the maps hold 0 and 255 and nothing else."""
    return (
        count.ignored > 0
        and not count.background
        and count.classes[0].pixels > 0
        and count.pixels == count.classes[0].pixels
    )


def _binary_mask(
    number: int, source: Source, count: SpaceCount, samples: Sequence[Sample], known: Sequence[tuple[int, Truth]]
) -> Finding:
    meant = count.space.classes[1] if count.space.num_classes > 1 else count.space.classes[0]
    maps = counted(count.images, 'label map')
    what = (
        f'0 ({count.space.classes[0]!r}) and 255 (not annotated) are all that is in {maps}; is 255 meant to be '
        f'{meant!r}?'
    )
    mixed = [place for place, truth in known if truth.pixels and truth.ignored]
    cases = tuple(
        _case(number, samples, place, f'{dict(known)[place].ignore_share:.0%} is 255') for place in mixed[:20]
    )
    # One class and the rest left out may be meant.
    return Finding('binary-mask', source.label, what, cases, '' if count.space.num_classes > 1 else 'warning')


def _judge_shares(source: Source, count: SpaceCount, binary: bool, held: set[str]) -> Iterator[Finding]:
    total = max(1, count.pixels)
    absent = [one.name for one in count.classes if one.searched and not one.pixels]
    if absent and not (binary and count.space.num_classes == 2):
        images = counted(count.images, 'image')
        what = f'{len(absent)} of {len(count.classes)} classes have no pixel in {images}: {_listed(absent)}'
        code = 'class-without-pixel' if source.trains and not held.issuperset(absent) else 'class-not-here'
        yield Finding(code, source.label, what, tuple(map(Case, absent)))
    tiny = [
        one
        for one in count.classes
        if one.pixels
        and (one.pixels < TINY_SHARE * total or (one.images < TINY_IMAGES and count.images >= 10 * TINY_IMAGES))
    ]
    if tiny and source.trains:
        cases = tuple(
            Case(f'{one.name}: {one.pixels} pixels ({one.pixels / total:.4%}) in {one.images} of {count.images} images')
            for one in sorted(tiny, key=lambda one: one.pixels)
        )
        names = _listed([one.name for one in sorted(tiny, key=lambda one: one.pixels)])
        yield Finding(
            'tiny-class', source.label, f'{counted(len(tiny), "class", "classes")} hardly there: {names}', cases
        )
    huge = [one for one in count.classes if one.pixels > HUGE_SHARE * total]
    if huge and len(count.classes) > 1 and not binary and not count.background:
        what = f'{huge[0].name!r} has {huge[0].pixels / total:.1%} of all labelled pixels'
        yield Finding('huge-class', source.label, what)


def _judge_ignored(
    number: int, source: Source, count: SpaceCount, samples: Sequence[Sample], known: Sequence[tuple[int, Truth]]
) -> Iterator[Finding]:
    empty = [place for place, truth in known if not truth.pixels and truth.ignored]
    if empty:
        cases = tuple(_case(number, samples, place, 'all pixels are 255, not annotated') for place in empty)
        what = f'in {len(empty)} of {count.images} images no pixel is annotated'
        yield Finding('not-annotated', source.label, what, cases)
    if count.ignore_share > MUCH_IGNORED:
        worst = sorted(known, key=lambda pair: -pair[1].ignore_share)[:20]
        cases = tuple(_case(number, samples, place, f'{t.ignore_share:.0%} is not annotated') for place, t in worst)
        yield Finding('ignored', source.label, f'{count.ignore_share:.0%} of all pixels are not annotated', cases)


def _judge_objects(
    number: int, source: Source, count: SpaceCount, samples: Sequence[Sample], known: Sequence[tuple[int, Truth]]
) -> Iterator[Finding]:
    if count.background and (without := [place for place, truth in known if truth.objects == 0 and not truth.searched]):
        cases = tuple(_case(number, samples, place, 'has no object') for place in without)
        yield Finding('no-objects', source.label, f'{len(without)} of {count.images} images have no object', cases)
    if count.crowds > MANY_CROWDS * (count.objects or 0):
        what = f'{count.crowds} of {count.objects} annotations are crowds; some tools write it for run-length codes'
        held = sorted((pair for pair in known if pair[1].crowds), key=lambda pair: -pair[1].crowds)
        cases = tuple(_case(number, samples, place, f'{t.crowds} crowds of {t.objects}') for place, t in held)
        yield Finding('crowds', source.label, what, cases)


def _case(number: int, samples: Sequence[Sample], place: int, what: str) -> Case:
    sample = samples[place]
    file = sample.labels[0] if sample.labels else sample.image
    return Case(f'{file}: {what}', (sample.image, *sample.labels), ((number, place),))


def _listed(names: Sequence[str]) -> str:
    return ', '.join(names[:8]) + (f' and {len(names) - 8} more' if len(names) > 8 else '')
