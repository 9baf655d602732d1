"""What classes of different label spaces are to each other, as far as their names tell.

Each concept belongs to the class of its label space whose concept lies nearest above it, so a class covers a set of
concepts: a ``car`` covers vans too, unless its space has a class ``van``. Two classes are the same where they cover the
same, one is inside the other where it covers less, and they clash where each covers something that the other does not.
Since all of this follows from sets, claims never contradict each other. Sizes and limits: docs/audit.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from ..label_space import LabelSpace
from ..relations import Relations
from .concepts import Concepts

Kind = Literal['same', 'inside', 'part_of', 'clash']


@dataclass(frozen=True)
class Place:
    """A class of a label space."""

    space: str
    label: int
    name: str  # as the space writes it

    def __str__(self) -> str:
        return f'{self.space}:{self.name}'


@dataclass(frozen=True)
class Claim:
    """What two classes of different label spaces likely are to each other.

    Attributes:
        kind: What they are.
        first, second: The classes; of ``inside`` and ``part_of`` the smaller one first.
        why: For people.
        found: What a trained model says: the share of the pixels of ``first`` that it finds as ``second`` in that other
            space, and of those of ``second`` as ``first``; None where nobody asked or nothing was there.
        verdict: What that means for the claim.
    """

    kind: Kind
    first: Place
    second: Place
    why: str
    found: tuple[float | None, float | None] = (None, None)
    verdict: Literal['', 'confirmed', 'doubted'] = ''


def claims_of_names(spaces: Sequence[LabelSpace], concepts: Concepts | None = None) -> list[Claim]:
    """Compares the classes of each two label spaces by what their names cover.

    Args:
        spaces: The label spaces.
        concepts: What is counted with what; by default the shipped lexicon.
    """
    concepts = concepts or Concepts.from_yaml()
    named = [concepts.of(space) for space in spaces]
    atoms = [*dict.fromkeys(concept for own in named for concept in own if concept is not None)]
    covers = [_covered(own, atoms, concepts) for own in named]
    claims: list[Claim] = []
    for a, b in combinations(range(len(spaces)), 2):
        for i, mine in enumerate(covers[a]):
            for j, others in enumerate(covers[b]):
                if mine & others:
                    first, second = (Place(spaces[s].name, c, spaces[s].classes[c]) for s, c in ((a, i), (b, j)))
                    claims.append(_claim(first, second, mine, others, named[a][i], named[b][j], concepts))
    return claims


def declared(claims: Sequence[Claim]) -> Relations:
    """The claims as relations, for training and mixed inference; without clashes and what a model doubts."""
    kept = [claim for claim in claims if claim.verdict != 'doubted']
    pairs = {kind: tuple((str(c.first), str(c.second)) for c in kept if c.kind == kind) for kind in RELATED}
    return Relations(**pairs)


RELATED: tuple[Kind, ...] = ('same', 'inside', 'part_of')


def _covered(named: Sequence[str | None], atoms: Sequence[str], concepts: Concepts) -> list[frozenset[str]]:
    """Which of some concepts each class of a space covers."""
    owner = {concept: label for label, concept in enumerate(named) if concept is not None}
    covered: list[set[str]] = [set() for _ in named]
    for atom in atoms:
        nearest = next((owner[above] for above in concepts.above(atom) if above in owner), None)
        if nearest is not None:
            covered[nearest].add(atom)
    return [frozenset(own) for own in covered]


def _claim(
    first: Place,
    second: Place,
    mine: frozenset[str],
    others: frozenset[str],
    concept: str | None,
    other: str | None,
    concepts: Concepts,
) -> Claim:
    assert concept is not None
    assert other is not None
    if mine == others:
        why = f'both mean {concept}' if concept == other else f'both cover {_listed(mine)}'
        return Claim('same', first, second, why)
    if mine > others:
        return _claim(second, first, others, mine, other, concept, concepts)
    more = others - mine
    if mine < others:
        between = [*_until(concepts, concept, other)]
        kind: Kind = 'part_of' if concepts.parts & {*between} else 'inside'
        if concept == other:
            why = f'both mean {concept}, but {second.space} counts {_listed(more)} with it'
        else:
            why = f'{concept} is {"a part of" if kind == "part_of" else "counted with"} {other} in {second.space}'
        return Claim(kind, first, second, why)
    apart = [f'{p.space} counts {_listed(m)} with it' for p, m in ((first, mine - others), (second, more))]
    why = f'both cover {_listed(mine & others)}, but only {" and only ".join(apart)}'
    return Claim('clash', first, second, why)


def _until(concepts: Concepts, concept: str, end: str) -> Iterator[str]:
    """The concepts from one up to another, without it."""
    for above in concepts.above(concept):
        if above == end:
            return
        yield above


def _listed(names: frozenset[str], most: int = 4) -> str:
    shown = sorted(names)
    return ', '.join(shown[:most]) + (f' and {len(shown) - most} more' if len(shown) > most else '')
