"""Several label spaces at once: which classes exclude each other, which mean the same, and segments that are one.

Our reading of RESI's ESF-OMI; what is published and what is ours: docs/resi.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...errors import LabelSpaceError, did_you_mean
from ...label_space import LabelSpace
from ...names import name_key
from ...relations import ResolvedRelations
from ...run_lengths import Edges, RunLengths, difference, shared_areas, union
from ...segments import EncodedMaskSet
from ..numerics import at_least_float32, no_autocast


@dataclass(frozen=True)
class Duplicates:
    """When segments of different groups are one.

    Attributes:
        same: ``[K, K]`` bool: which classes of all asked spaces mean the same.
        iou: Their masks must overlap by more than this.
    """

    same: Tensor
    iou: float = 0.5


def unite_duplicates(segments: EncodedMaskSet, group: Tensor, duplicates: Duplicates) -> EncodedMaskSet:
    """Unites segments of different groups that mean the same and overlap, the best first.

    A segment joins the best one before it that it duplicates and that its group has not joined yet. The united segment
    has the class of the best, the pixels of all and the score ``1 - (1 - a)(1 - b)...``: that one of them is right. So
    that a pixel stays in one segment of a group, the worse ones of its groups leave it their pixels; one that has none
    left is dropped.

    Args:
        segments: Of all groups, which overlap in none of them.
        group: The exclusive group of each class, long [K].
        duplicates: Which segments are one.
    """
    certain, origins, edges = segments.scores, segments.origins, segments.runs.edges
    assert origins is not None
    groups = group[segments.labels].tolist()
    alike = _alike(segments, groups, duplicates)
    joined: list[list[int]] = []
    for i in certain.argsort(descending=True, stable=True).tolist():
        for members in joined:
            if alike[members[0], i] and groups[i] not in [groups[m] for m in members]:
                members.append(i)
                break
        else:
            joined.append([i])
    if len(joined) == len(groups):
        return segments
    joined.sort(key=lambda members: members[0])
    missed = [torch.stack([1 - certain[m] for m in members]).prod() for members in joined]
    scores = 1 - torch.stack(missed)
    masks = [union([edges[m] for m in members]) for members in joined]
    taken: dict[int, Edges] = {}  # by the segments of each group so far
    for i in scores.argsort(descending=True, stable=True).tolist():
        own = {groups[m] for m in joined[i]}
        for other in own & taken.keys():
            masks[i] = difference(masks[i], taken[other])
        for other in own:
            taken[other] = union([taken[other], masks[i]]) if other in taken else masks[i]
    left = [i for i, mask in enumerate(masks) if len(mask)]
    return EncodedMaskSet(
        RunLengths(segments.size, tuple(masks[i] for i in left)),
        labels=segments.labels[[joined[i][0] for i in left]],
        scores=scores[left],
        origins=[tuple(origin for m in joined[i] for origin in origins[m]) for i in left],
    )


def _alike(segments: EncodedMaskSet, groups: Sequence[int], duplicates: Duplicates) -> NDArray[np.bool_]:
    """Which segments of different groups are duplicates, ``[S, S]``."""
    edges, area = segments.runs.edges, segments.runs.areas()
    of_group, same = np.array(groups), duplicates.same.cpu()[segments.labels][:, segments.labels].numpy()
    alike = np.zeros((len(edges), len(edges)), dtype=bool)
    for i, own in enumerate(edges):
        others = np.flatnonzero(same[i] & (of_group != of_group[i]))
        shared = shared_areas([edges[j] for j in others], own)
        alike[i, others] = shared > duplicates.iou * (area[i] + area[others] - shared)
    return alike


def exclusive_groups(spaces: Sequence[LabelSpace], declared: Sequence[Sequence[str]] = ()) -> Tensor:
    """The group of each class, within which pixels belong to one class only.

    Args:
        spaces: The asked spaces.
        declared: Groups, each of names of spaces (``camvid11``) and of classes (``camvid11:car``). What none names
            stays in the group of its space.

    Returns:
        long [K] over the classes of all spaces, one space after the other.

    Raises:
        LabelSpaceError: On an unknown name, or a class in two groups.

    Example:
        >>> spaces = [LabelSpace.create('street', ['sky', 'car']), LabelSpace.create('clothes', ['hat', 'bag'])]
        >>> exclusive_groups(spaces).tolist(), exclusive_groups(spaces, [['street:car', 'clothes']]).tolist()
        ([0, 0, 1, 1], [0, 2, 2, 2])
    """
    places: dict[str, list[int]] = {}
    groups: list[int] = []
    for i, space in enumerate(spaces):
        for name in space.classes:
            places.setdefault(space.name, []).append(len(groups))
            places[f'{space.name}:{name}'] = [len(groups)]
            groups.append(i)
    taken: set[int] = set()
    for number, members in enumerate(declared, len(spaces)):
        for name in members:
            if name not in places:
                raise LabelSpaceError(
                    f'exclusive group names {name!r}, which is neither an asked label space nor SPACE:CLASS of one.'
                    f'{did_you_mean(name, places)}'
                )
            for place in places[name]:
                if place in taken and groups[place] != number:
                    raise LabelSpaceError(f'{name!r} is in two exclusive groups; a class can be in one')
                groups[place] = number
                taken.add(place)
    return torch.tensor(groups)


def same_meaning(
    spaces: Sequence[LabelSpace],
    rows: Tensor | None = None,
    similarity: float = 1.0,
    relations: ResolvedRelations | None = None,
) -> Tensor:
    """Which classes of some label spaces mean the same: those of one normalised name, or of similar text rows, or that
    are declared to.

    Args:
        spaces: The spaces.
        rows: Text rows of all their classes, one space after the other, [K, C].
        similarity: The cosine from which on rows are similar; needs ``rows``.
        relations: What is declared, which goes before names and rows: a class inside or part of another is another.

    Returns:
        bool [K, K], symmetric.
    """
    keys = [name_key(name) for space in spaces for name in space.names]
    index = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    number = torch.tensor([index[key] for key in keys])
    same = number[:, None] == number
    if rows is not None:
        with no_autocast(rows):
            unit = F.normalize(at_least_float32(rows), dim=-1)
            same = same.to(unit.device) | (unit @ unit.T >= similarity)
    if relations is not None:
        alike, nested = (torch.from_numpy(declared).to(same.device) for declared in relations.among(spaces))
        same = (same | alike) & ~nested
    return same
