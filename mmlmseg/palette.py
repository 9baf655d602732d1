"""Colours of classes for which nobody chose any: made from their names, so that a class looks alike in every space."""

from __future__ import annotations

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
    taken: NDArray[np.float32] = np.empty((0, 3), np.float32)
    least = float(np.clip(100 / max(len(set(keys)), 1), *_APART))
    for key in sorted(set(keys), key=_digest):  # not in the order of the space, which would decide who has to move
        apart = least
        colours = _colours(key)
        chosen[key], place = next(colours)
        while np.linalg.norm(taken - place, axis=1).min(initial=np.inf) < apart:
            chosen[key], place = next(colours)
            apart *= _PATIENCE
        taken = np.concatenate([taken, place[None]])
    return tuple(chosen[key] for key in keys)


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
