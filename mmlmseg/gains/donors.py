"""Which classes of other datasets a class likely learns from: those that names relate to it, and those read alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..audit import claims_of_names
from ..label_space import LabelSpace

ALIKE = 0.6
"""The least cosine of two class names; that of two names of no relation is 0.44 on average in the shipped bank."""


@dataclass(frozen=True)
class Donor:
    """A class of another label space.

    Attributes:
        space, name: The class.
        why: ``same``, ``inside``, ``part_of`` or ``clash`` by what names tell, or ``alike`` by their text.
        similarity: Cosine of the two names; None where one has no embedding.
    """

    space: str
    name: str
    why: str
    similarity: float | None


def likely_donors(
    spaces: Sequence[LabelSpace], embeddings: Mapping[str, Tensor], most: int = 3
) -> dict[tuple[str, str], list[Donor]]:
    """By label space and class, the classes of other spaces that it may have learned from, likeliest first.

    Args:
        spaces: The label spaces of the joint model.
        embeddings: Of names ``[width]``, of unit norm; those that are missing are told by relations alone.
        most: How many of each class.
    """
    kinds: dict[tuple[str, str, str, str], str] = {}
    for claim in claims_of_names(spaces):
        for one, met in ((claim.first, claim.second), (claim.second, claim.first)):
            kinds[one.space, one.name, met.space, met.name] = claim.kind
    found: dict[tuple[str, str], list[Donor]] = {}
    for own in spaces:
        for name, text in zip(own.classes, own.names, strict=True):
            donors = []
            for other in spaces:
                for its, its_text in zip(other.classes, other.names, strict=True) if other.name != own.name else ():
                    known = text in embeddings and its_text in embeddings
                    alike = float(torch.dot(embeddings[text], embeddings[its_text])) if known else None
                    kind = kinds.get((own.name, name, other.name, its))
                    if kind is not None or (alike is not None and alike >= ALIKE):
                        donors.append(
                            Donor(other.name, its, kind or 'alike', None if alike is None else round(alike, 3))
                        )
            order = ('same', 'inside', 'part_of', 'clash', 'alike')
            donors.sort(key=lambda donor: (order.index(donor.why), -(donor.similarity or 0)))
            found[own.name, name] = donors[:most]
    return found
