"""Where the names of points stand in a figure, so that none covers another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating]

_DIRECTIONS, _RINGS, _ROUNDS = 16, 30, 4
_CROWD = 6  # neighbours, itself included, whose distance says how crowded it is
_PUSHES = 200


def place_labels(anchors: Points, sizes: Points, radii: Points, area: tuple[float, float]) -> Points:
    """Puts each label as near to its marker as is free: clear of all markers, of the other labels and of the rim.

    Labels are placed in turn, those in a crowd first; then again for some rounds, knowing where the others are.

    Args:
        anchors: Centres of the markers [n, 2], in any unit.
        sizes: Width and height of the labels [n, 2].
        radii: Of the markers [n].
        area: Width and height of the figure, from (0, 0).

    Returns:
        Centres of the labels [n, 2]. Where the area is too small for all, some overlap as little as can be.

    Examples:
        >>> place_labels(np.array([[50.0, 50.0]]), np.array([[20.0, 10.0]]), np.array([3.0]), (100, 100)).tolist()
        [[63.0, 50.0]]
    """
    number = len(anchors)
    gaps = np.hypot(*(anchors[:, None] - anchors).transpose(2, 0, 1))  # [n, n]
    crowded = np.argsort(np.sort(gaps, axis=1)[:, : min(_CROWD, number)].sum(axis=1), kind='stable')
    taken = np.concatenate([np.full(anchors.shape, np.inf), anchors])  # boxes of labels (not placed yet) and of markers
    extents = np.concatenate([sizes, np.stack([2 * radii, 2 * radii], axis=1)])
    for _ in range(_ROUNDS):
        for i in crowded:
            taken[i] = np.inf
            least = np.inf
            for candidates in _rings(anchors[i], sizes[i], radii[i]):
                cost = _overlap(candidates, sizes[i], taken, extents) + _outside(candidates, sizes[i], area)
                cost = cost.round(6)  # so that all that are free tie, and the first wins
                if cost.min() < least:
                    least, best = cost.min(), candidates[cost.argmin()]
                if least == 0:
                    break
            taken[i] = best
    return taken[:number]


def spread_discs(centres: Points, radii: Points) -> Points:
    """Pushes discs apart that cover one another, each pair by the same distance, until all can be seen.

    Args:
        centres: Of the discs [n, 2].
        radii: Of the discs [n].

    Returns:
        New centres [n, 2]; discs that touch nothing stay where they are.

    Examples:
        >>> spread_discs(np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([2.0, 2.0])).round(3).tolist()
        [[-1.0, 0.0], [3.0, 0.0]]
    """
    centres = centres.astype(float)
    wanted = radii[:, None] + radii  # [n, n]
    for _ in range(_PUSHES):
        apart = centres[:, None] - centres  # [n, n, 2]
        distance = np.hypot(*apart.transpose(2, 0, 1))
        missing = np.triu(wanted - distance, k=1).clip(min=0)
        if missing.max(initial=0) < 1e-3:
            break
        # Discs on one point are pushed along the line of x.
        way = np.where(distance[..., None] > 0, apart / np.where(distance, distance, 1)[..., None], (1.0, 0.0))
        push = missing[..., None] / 2 * way
        centres += push.sum(axis=1) - push.sum(axis=0)
    return centres


def _rings(anchor: Points, size: Points, radius: float) -> Points:
    """Centres around a marker [rings, directions, 2]: labels touch it first, then move away by a fraction of a line."""
    angles = np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    order = np.argsort(-np.abs(directions[:, 0]), kind='stable')  # beside the marker reads best
    directions = directions[order]
    # From the centre of a label to its edge, in each direction: what it has to be away at least.
    with np.errstate(divide='ignore'):
        reach = np.min(size / 2 / np.abs(directions), axis=1)
    distances = reach[None] + radius + 0.4 * size[1] * np.arange(_RINGS)[:, None]  # [rings, directions]
    return anchor + distances[..., None] * directions


def _overlap(candidates: Points, size: Points, centres: Points, sizes: Points) -> Points:
    """Area that each candidate [c, 2] shares with some boxes [n, 2]: [c]."""
    distance = np.abs(candidates[:, None] - centres)  # [c, n, 2]
    shared = np.clip((size + sizes) / 2 - distance, 0, np.minimum(size, sizes))
    return shared.prod(axis=-1).sum(axis=-1)


def _outside(candidates: Points, size: Points, area: tuple[float, float]) -> Points:
    """Area of each candidate [c, 2] beyond the rim: [c]."""
    low, high = candidates - size / 2, candidates + size / 2
    inside = np.clip(np.minimum(high, area) - np.maximum(low, 0), 0, None)
    return size.prod() - inside.prod(axis=-1)
