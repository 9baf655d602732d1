"""Which classes a class likely learned from: those that stand in a relation to it, and those that are read alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..audit import claims_of_names
from ..audit.concepts import is_rest
from ..relations import resolve
from .counts import CountedModel

ALIKE = 0.5
"""The least cosine of the text rows of two classes of no known relation. Of the pairs of names that the shipped
five-dataset model reads, 2 % have a larger one after a training; their mean is 0.08."""

Source = Literal['declared', 'names', 'text']
_RELATIONS = {  # what the second is to the first, and the first to the second
    'same': ('same', 'same'),
    'inside': ('contains', 'inside'),
    'part_of': ('whole', 'part'),
    'clash': ('clash', 'clash'),
}
_ORDER = ('same', 'inside', 'contains', 'part', 'whole', 'clash', 'alike')


@dataclass(frozen=True)
class Donor:
    """A class of another label space.

    Attributes:
        space, name: The class.
        relation: What it is to the one that learned: ``same``, ``inside`` it or ``contains`` it, a ``part`` of it or
            the ``whole``, a ``clash``, or only ``alike``.
        source: Who says so: the relations ``declared`` for the joint model, what ``names`` mean (:mod:`mmlmseg.audit`),
            or the ``text`` rows of the joint model.
        similarity: Cosine of the text rows of the two, the mean over seeds; None where the model reads no text.
    """

    space: str
    name: str
    relation: str
    source: Source
    similarity: float | None


class Donors:
    """What the classes of a joint model are to each other.

    Args:
        joint: Its seeds, whose label spaces, declared relations and text rows tell.
    """

    def __init__(self, joint: Sequence[CountedModel]) -> None:
        first = joint[0]
        self._classes = [(space.name, name) for space in first.spaces for name in space.classes]  # the K places
        self._place = {own: place for place, own in enumerate(self._classes)}
        self._known: dict[tuple[int, int], tuple[str, Source]] = {}
        for claim in claims_of_names(first.spaces):
            one, other = (self._place[where.space, where.name] for where in (claim.first, claim.second))
            self._add(claim.kind, one, other, 'names')
        resolved = resolve(first.relations, tuple(first.spaces))
        for kind in ('part_of', 'inside', 'same'):
            for one, other in np.argwhere(getattr(resolved, kind)).tolist():
                self._add(kind, one, other, 'declared')
        rows = [model.rows.numpy() for model in joint if model.rows is not None]
        self._cosines = np.mean([own @ own.T for own in rows], axis=0) if rows else None  # [K, K]

    def of(self, space: str, name: str, among: Collection[str], most: int = 3) -> list[Donor]:
        """The classes of some label spaces that a class may have learned from, likeliest first."""
        own = self._place[space, name]
        found = []
        for place, (its_space, its_name) in enumerate(self._classes):
            if its_space == space or its_space not in among:
                continue
            cosine = None if self._cosines is None else round(float(self._cosines[own, place]), 3)
            if (known := self._known.get((own, place))) is not None:
                found.append(Donor(its_space, its_name, *known, cosine))
            elif cosine is not None and cosine >= ALIKE and not is_rest(name) and not is_rest(its_name):
                found.append(Donor(its_space, its_name, 'alike', 'text', cosine))
        return sorted(found, key=lambda one: (_ORDER.index(one.relation), -(one.similarity or 0)))[:most]

    def _add(self, kind: str, one: int, other: int, source: Source) -> None:
        of_other, of_one = _RELATIONS[kind]
        self._known[one, other] = of_other, source
        self._known[other, one] = of_one, source
