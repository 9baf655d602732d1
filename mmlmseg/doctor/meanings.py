"""Names that mean two things: in one label space, or in two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations, product

from ..label_space import LabelSpace
from ..names import name_key
from .building import Source
from .findings import Case, Finding, counted
from .records import Sample

SHARES_APART = 0.1
"""The share of a picture from which classes of one name are held to be two."""


def findings_of_names(spaces: Sequence[tuple[str, LabelSpace]]) -> Iterator[Finding]:
    """Compares the names and synonyms of label spaces, each with the label of a dataset that has it."""
    first: dict[str, tuple[str, LabelSpace]] = {}
    told = set()
    for label, space in spaces:
        other, known = first.setdefault(space.name, (label, space))
        if known.classes != space.classes and (other, label) not in told:
            told.add((other, label))
            yield _clash(other, known, label, space)
    distinct = [space for _, space in first.values()]
    for space in distinct:
        cases = tuple(Case(what) for what in _within(space))
        if cases:
            what = f'{counted(len(cases), "word")} of two classes in the label space {space.name!r}'
            yield Finding('two-meanings', space.name, what, cases)
    for a, b in combinations(distinct, 2):
        cases = tuple(Case(what) for what in _between(a, b))
        if cases:
            what = f'{counted(len(cases), "name")} of one thing in {a.name!r} and of another in {b.name!r}'
            yield Finding('two-meanings', f'{a.name}, {b.name}', what, cases)


def findings_of_shared_pictures(
    groups: Sequence[Sequence[tuple[int, int]]], sources: Sequence[Source], samples: Sequence[Sequence[Sample]]
) -> Iterator[Finding]:
    """Compares classes of one name on pictures that two label spaces annotate.

    Args:
        groups: Samples whose images are one picture, by source and place.
        sources, samples: Those that the places are of.
    """
    cases: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for group in groups:
        for places in combinations({number: (number, place) for number, place in group}.values(), 2):
            one, other = (samples[number][place] for number, place in places)
            for (a, mine), (b, theirs) in product(*(_shares(sources[n], samples[n][k]) for n, k in places)):
                for name in sorted(mine.keys() & theirs.keys() if a != b else ()):
                    if abs(mine[name] - theirs[name]) > SHARES_APART:
                        what = f'{name!r} has {mine[name]:.0%} of it in {a!r} and {theirs[name]:.0%} in {b!r}'
                        case = Case(f'{one.image}: {what}', (one.image, other.image), places)
                        cases[a, b].append(case)
    for (a, b), own in cases.items():
        what = f'on {counted(len(own), "shared picture")}, classes of one name have other pixels'
        yield Finding('two-meanings', f'{a}, {b}', what, tuple(own))


def _shares(source: Source, sample: Sample) -> list[tuple[str, dict[str, float]]]:
    """The share of the picture that each class has, by name, for each label space."""
    return [
        (space.name, {name_key(name): truth.pixels.get(i, 0) / truth.size for i, name in enumerate(space.classes)})
        for space, truth in zip(source.spaces, sample.truths, strict=True)
        if truth is not None
    ]


def _clash(other: str, known: LabelSpace, label: str, space: LabelSpace) -> Finding:
    differing = sorted(set(known.classes) ^ set(space.classes))
    how = f'have other classes ({", ".join(differing[:5])})' if differing else 'have their classes in another order'
    what = f'{other} and {label} both call their label space {space.name!r}, but {how}'
    return Finding('label-space', f'{other}, {label}', what)


def _owners(space: LabelSpace) -> dict[str, list[int]]:
    """The classes that each word names, as main name or synonym."""
    owners: dict[str, list[int]] = defaultdict(list)
    for label, (name, synonyms) in enumerate(zip(space.names, space.synonyms, strict=True)):
        for word in dict.fromkeys(map(name_key, (name, *synonyms))):
            owners[word].append(label)
    return owners


def _within(space: LabelSpace) -> Iterator[str]:
    for word, labels in _owners(space).items():
        if len(labels) > 1:
            yield f'{word!r} names {" and ".join(repr(space.classes[label]) for label in labels)}'


def _between(a: LabelSpace, b: LabelSpace) -> Iterator[str]:
    mine, others = _owners(a), _owners(b)
    for word in mine.keys() & others.keys():
        for i in mine[word]:
            for j in others[word]:
                yield from _compared(word, a, i, mine, b, j, others)


def _compared(
    word: str, a: LabelSpace, i: int, mine: dict[str, list[int]], b: LabelSpace, j: int, others: dict[str, list[int]]
) -> Iterator[str]:
    if word == name_key(a.names[i]) and a.things and b.things and a.is_thing[i] != b.is_thing[j]:
        kinds = ('a thing', 'stuff') if a.is_thing[i] else ('stuff', 'a thing')
        yield f'{word!r} is {kinds[0]} in {a.name!r} and {kinds[1]} in {b.name!r}'
    # `couch` is a synonym of `sofa` here, where it is a class beside `sofa` there.
    for own, owners, one, other, k, m in ((a, others, i, b, i, j), (b, mine, j, a, j, i)):
        main = name_key(own.names[k])
        if main != word and m not in owners.get(main, [m]):
            there = other.classes[owners[main][0]]
            yield (
                f'{word!r} is a name of {own.classes[one]!r} in {own.name!r}, but of {other.classes[m]!r} in '
                f'{other.name!r}, which has {there!r} beside it'
            )
