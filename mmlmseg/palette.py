"""Colours of classes for which nobody chose any: made from their names, so that a class looks alike in every space."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from hashlib import sha256

import cv2
import numpy as np
from numpy.typing import NDArray

from .names import name_key

Colour = tuple[int, int, int]

# In CIELAB, where 2 is a difference that one can just see: of two classes, more where there are few and each colour has
# room; and what is neither grey, dark nor pale.
_APART = (3.0, 12.0)
_LEAST_CHROMA = 30.0
_LIGHTNESS = (35.0, 88.0)
# Of many series the one where sky is blue, tree and grass are green, and twenty common classes stand far apart.
_SERIES = 14764
_PATIENCE = 0.9  # what a class that meets others' colours takes off the difference, each time


def default_palette(names: Sequence[str]) -> tuple[Colour, ...]:
    """Makes the colours of a label space from its class names, RGB, 0 to 255; a :func:`name_key` has one.

    A class has the same colour in every space and at every place in it, unless the space holds another class of nearly
    this colour: then one of the two, the same in every such space, takes the next colour of its name. This is rare
    below a hundred classes. The colours can be told apart; those of thousands of classes just differ.

    Example:
        >>> default_palette(['sky', 'Road-other'])[1] == default_palette(['road'])[0]
        True
    """
    keys = [name_key(name) for name in names]
    chosen: dict[str, Colour] = {}
    least = float(np.clip(100 / max(len(set(keys)), 1), *_APART))
    taken = _Places(len(set(keys)), least)
    for key in sorted(set(keys), key=_digest):  # not in the order of the space, which would decide who has to move
        apart = least
        colours = _colours(key)
        chosen[key], place = next(colours)
        while taken.any_within(apart, place):
            chosen[key], place = next(colours)
            apart *= _PATIENCE
        taken.add(place)
    return tuple(chosen[key] for key in keys)


class _Places:
    """Colours that are taken, in cells of CIELAB, so that a look at those near one costs little beside any number."""

    def __init__(self, number: int, side: float) -> None:
        self._side = side
        self._places = np.empty((number, 3), np.float32)
        self._count = 0
        self._cells: dict[tuple[int, ...], list[int]] = {}

    def add(self, place: NDArray[np.float32]) -> None:
        self._places[self._count] = place
        self._cells.setdefault(self._cell(place), []).append(self._count)
        self._count += 1

    def any_within(self, distance: float, place: NDArray[np.float32]) -> bool:
        """Whether one is less than a distance, at most the side of a cell, away."""
        cells = itertools.product(*((i - 1, i, i + 1) for i in self._cell(place)))
        near = [number for cell in cells for number in self._cells.get(cell, ())]
        return bool((np.linalg.norm(self._places[near] - place, axis=1) < distance).any()) if near else False

    def _cell(self, place: NDArray[np.float32]) -> tuple[int, ...]:
        return tuple(math.floor(value / self._side) for value in place.tolist())


def _colours(key: str) -> Iterator[tuple[Colour, NDArray[np.float32]]]:
    """The colours of a name, the first one first, without end; each with its place in CIELAB [3]."""
    seed = _digest(key)
    while True:
        r, g, b = seed[:3]
        place = cv2.cvtColor(np.array([[(r, g, b)]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
        if _LIGHTNESS[0] <= place[0] <= _LIGHTNESS[1] and np.hypot(*place[1:]) >= _LEAST_CHROMA:
            yield (r, g, b), place
        seed = sha256(seed).digest()


def _digest(key: str) -> bytes:
    return sha256(f'{_SERIES} {key}'.encode()).digest()
