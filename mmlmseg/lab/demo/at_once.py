"""The part of the demo's picture where one image is asked in two label spaces at once, whose masks overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ...apis.masks import MaskSegmentation
from ...label_space import LabelSpace
from ...visualization.drawing import Panel, percentage
from ..figures.layers import Layer, draw_layers

_LEAST_SHARE = 0.05  # of a mask that a class must cover to be named as a part of it
_LEAST_AREA = 0.005  # of the image, for a mask to be looked at closely
_MARGIN = 0.1  # around what is looked at closely


def draw_at_once(image: np.ndarray, name: str, found: MaskSegmentation, width: int, text_size: int) -> list[Panel]:
    """Shows the masks of two label spaces over one image, and what those of the first are in the second.

    Args:
        image: RGB, uint8 [H, W, 3].
        name: Its title.
        found: Its masks in two label spaces; those of the first are outlined, those of the second filled.
        width: Of each panel.
        text_size: Height of the letters in pixels.

    Returns:
        The whole image with the names of the classes below, and the part of it where masks have most to say to one
        another, with the names in the picture and the overlaps below.
    """
    outlined, filled = (_layer(found, space) for space in found.spaces)
    first, second = found.spaces
    title = f'{name} in one pass: {first.name} (outlined) and {second.name} (filled)'
    names = [(layer.classes[c], layer.palette[c]) for layer in (outlined, filled) for c in sorted({*layer.labels})]
    equations = [
        (f'{outlined.classes[c]} = {_sum_of(parts, second)}', outlined.palette[c])
        for c, parts in overlaps(outlined, filled)
    ]
    part = _richest_part(outlined, filled)
    closer = [replace(layer, segments=layer.segments[part]) for layer in (outlined, filled)]
    return [
        Panel(draw_layers(image, outlined, filled, width), title, names, width),
        Panel(
            draw_layers(image[part], closer[0], closer[1], width, text_size),
            'closer: masks that overlap, and what they are in the other space',
            equations,
            width,
        ),
    ]


def overlaps(outlined: Layer, filled: Layer) -> list[tuple[int, list[tuple[int, float]]]]:
    """What the classes of a layer are in another.

    Returns:
        Each class of the first layer, with the classes of the second that cover a part of it worth naming, -1 for no
        mask, and the share that they cover, largest first. Classes of many parts come first; those that only void
        covers are left out.
    """
    above, below = outlined.class_map(), filled.class_map()
    found = [(label, _parts(below[above == label])) for label in np.unique(above[above >= 0]).tolist()]
    named = [(label, parts) for label, parts in found if any(c >= 0 for c, _ in parts)]
    return sorted(named, key=lambda entry: -len(entry[1]))


def _parts(classes: NDArray[np.integer]) -> list[tuple[int, float]]:
    """The classes of some pixels, -1 for void, with their share of all of these, largest first; small ones left out."""
    present, areas = np.unique(classes, return_counts=True)
    parts = [(c, area / classes.size) for c, area in zip(present.tolist(), areas.tolist(), strict=True)]
    return sorted((part for part in parts if part[1] >= _LEAST_SHARE), key=lambda part: -part[1])


def _sum_of(parts: Sequence[tuple[int, float]], space: LabelSpace) -> str:
    """Classes of a space and their shares, like ``wardrobe:shirt 60% + trousers 30% + no mask 10%``."""
    terms = [f'{space.classes[c] if c >= 0 else "no mask"} {percentage(share)}' for c, share in parts]
    return f'{space.name}:{" + ".join(terms)}' if parts[0][0] >= 0 else f'{space.name}: {" + ".join(terms)}'


def _layer(found: MaskSegmentation, space: LabelSpace) -> Layer:
    return Layer(*found.segment_map(space), [f'{space.name}:{c}' for c in space.classes], space.palette)


def _richest_part(outlined: Layer, filled: Layer) -> tuple[slice, slice]:
    """The part of an image, in its aspect, around that piece of an outlined mask which is most different things in the
    filled layer, or the largest of several such; the whole image where there is none."""
    above, below = outlined.class_map(), filled.class_map()
    height, width = above.shape
    best, box = (0, 0), (0, 0, width, height)
    for label in dict.fromkeys(outlined.labels):
        _, pieces, statistics, _ = cv2.connectedComponentsWithStats((above == label).astype(np.uint8))
        for piece, (*where, area) in enumerate(statistics.tolist()[1:], 1):
            worth = sum(c >= 0 for c, _ in _parts(below[pieces == piece])), area
            if area >= _LEAST_AREA * above.size and worth > best:
                best, box = worth, where
    left, top, wide, high = box
    scale = min(1.0, (1 + 2 * _MARGIN) * max(wide / width, high / height))
    size = round(scale * height), round(scale * width)
    start = (
        int(np.clip(middle - length / 2, 0, limit - length))
        for middle, length, limit in zip((top + high / 2, left + wide / 2), size, (height, width), strict=True)
    )
    rows, columns = (slice(first, first + length) for first, length in zip(start, size, strict=True))
    return rows, columns
