"""What images that occur several times mean: leaks from training to evaluation, or repetition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from .building import Source
from .findings import Case, Finding
from .leaks import same_images
from .records import Sample

LABELS_APART = 0.1
"""The share of the pixels from which two label maps of one picture contradict each other."""

_WORDS = {
    'leak': 'images that are trained on in',
    'leak-between': 'images that are trained on in',
    'shared-image': 'images that are also in',
    'duplicate': 'images that occur again in',
    'contradicting-labels': 'images that occur again, with other labels, in',
}

Place = tuple[int, int]
"""A sample: the number of its source, and its place in there."""


def find_copies(samples: Sequence[Sequence[Sample]]) -> list[list[Place]]:
    """Groups of samples, by source and place, whose images are one by content."""
    places = [(i, k) for i, own in enumerate(samples) for k, sample in enumerate(own) if sample.look is not None]
    looks = [look for i, k in places if (look := samples[i][k].look) is not None]
    return [[places[member] for member in group] for group in same_images(looks)]


def findings_of_copies(
    groups: Sequence[Sequence[Place]], sources: Sequence[Source], samples: Sequence[Sequence[Sample]]
) -> Iterator[Finding]:
    """Judges groups of one image, within sources and between them."""
    cases: dict[tuple[str, int, int], list[Case]] = defaultdict(list)
    for group in groups:
        for code, one, other in _judged(group, sources, samples):
            cases[code, one[0], other[0]].append(
                _case(samples[one[0]][one[1]], samples[other[0]][other[1]], one, other)
            )
    for (code, i, j), own in sorted(cases.items()):
        label = sources[i].label if i == j else f'{sources[i].label}, {sources[j].label}'
        what = f'{len(own)} of {len(samples[i])} {_WORDS[code]} {"it" if i == j else sources[j].label}'
        yield Finding(code, label, what, tuple(own))


def _judged(
    group: Sequence[Place], sources: Sequence[Source], samples: Sequence[Sequence[Sample]]
) -> Iterator[tuple[str, Place, Place]]:
    """What each image of a group is a copy of, and what that means; an evaluated one stands before a trained one."""
    by_source: dict[int, list[Place]] = defaultdict(list)
    for place in group:
        by_source[place[0]].append(place)
    for own in by_source.values():
        for again in own[1:]:
            same = _same_labels(samples[own[0][0]][own[0][1]], samples[again[0]][again[1]])
            yield 'duplicate' if same else 'contradicting-labels', again, own[0]
    for i, j in combinations(by_source, 2):
        if sources[j].scores and sources[i].trains:
            i, j = j, i
        alone = sources[i].name == sources[j].name
        if sources[i].scores and sources[j].trains:
            code = 'leak' if alone else 'leak-between'
        elif not alone:
            code = 'shared-image'
        elif samples[i][by_source[i][0][1]].image == samples[j][by_source[j][0][1]].image:
            continue  # lists within one another, such as train and trainval
        else:
            code = 'duplicate'
        for place in by_source[i]:
            yield code, place, by_source[j][0]


def _same_labels(one: Sample, other: Sample) -> bool:
    """Whether the labels of two samples have about the same pixels of each class."""
    for a, b in zip(one.truths, other.truths, strict=True):
        if a is None or b is None:
            continue
        labels = a.pixels.keys() | b.pixels.keys()
        moved = sum(abs(a.pixels.get(k, 0) / a.size - b.pixels.get(k, 0) / b.size) for k in labels) / 2
        if moved > LABELS_APART:
            return False
    return True


def _case(one: Sample, other: Sample, *places: Place) -> Case:
    assert one.look is not None
    assert other.look is not None
    equal = one.image == other.image or one.look.digest == other.look.digest
    how = 'is' if one.image == other.image else 'is to the pixel' if equal else 'is, scaled or compressed anew,'
    return Case(f'{one.image} {how} {other.image}', (one.image, other.image), places)
