"""Federated labels: an image is labelled for some classes only (Gupta et al., LVIS, CVPR 2019, section 3).

Of large vocabularies nobody looks for every class in every image. So an image has lists: the classes that are marked or
known to be absent, and among these the classes of which only some objects are marked. Of all others nothing is known,
and they are no negatives: neither in training nor in evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import torch
from torch import Tensor

FEDERATED = 'federated'
"""The key of a sample's metainfo that holds its :class:`SearchedClasses`; without it, all classes were looked for."""


class SearchedClasses(TypedDict):
    """The classes that somebody looked for in an image, as labels of its label space in ascending order."""

    labels: tuple[int, ...]  # all of them: those that are marked, and those that are known to be absent
    not_exhaustive: tuple[int, ...]  # of these, the marked classes of which further objects may be there unmarked


def searched_columns(metas: Sequence[Mapping[str, Any]], width: int) -> Tensor | None:
    """Which classes were looked for in each of B samples: bool ``[B, width]``; None where it is all of them everywhere.

    Example:
        >>> searched_columns([dict(federated=dict(labels=(0, 2), not_exhaustive=()))], 3).tolist()
        [[True, False, True]]
        >>> searched_columns([dict(img_path='a.jpg')], 3)
    """
    found: list[SearchedClasses | None] = [meta.get(FEDERATED) for meta in metas]
    if not any(found):
        return None
    return torch.stack([_columns(range(width) if own is None else own['labels'], width) for own in found])


def not_exhaustive_columns(metas: Sequence[Mapping[str, Any]], width: int) -> Tensor | None:
    """Of which classes objects may be unmarked in each of B samples: bool ``[B, width]``; None where there is no such.

    Example:
        >>> not_exhaustive_columns([dict(federated=dict(labels=(0, 2), not_exhaustive=(2,)))], 3).tolist()
        [[False, False, True]]
    """
    found: list[SearchedClasses | None] = [meta.get(FEDERATED) for meta in metas]
    if not any(own and own['not_exhaustive'] for own in found):
        return None
    return torch.stack([_columns(() if own is None else own['not_exhaustive'], width) for own in found])


def _columns(labels: Sequence[int], width: int) -> Tensor:
    columns = torch.zeros(width, dtype=torch.bool)
    columns[list(labels)] = True
    return columns
