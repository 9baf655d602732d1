"""The shapes of annotation tools as what COCO's format knows: polygons, and run-length codes of pixels.

Coordinates are continuous, in pixels: the first pixel of an image reaches from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets.coco_objects import Size, mask_of
from ..errors import DataError, written
from .coco import Segmentation

_DEVIATION = 0.05  # pixels by which a polygon may miss the arc that it stands for


def polygon(points: Sequence[Sequence[float]]) -> Segmentation:
    """A polygon from its points ``[[x, y], ...]``."""
    return [numbers([value for point in points for value in point])]


def box(left: float, top: float, right: float, bottom: float, rotation: float = 0.0) -> Segmentation:
    """A box from two opposite corners, turned clockwise about its centre by some degrees."""
    (left, right), (top, bottom) = sorted((left, right)), sorted((top, bottom))
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return polygon(_turned(corners, ((left + right) / 2, (top + bottom) / 2), rotation))


def ellipse(x: float, y: float, rx: float, ry: float, rotation: float = 0.0) -> Segmentation:
    """An ellipse from centre and radii, turned clockwise by some degrees: a polygon that misses it by less than a
    twentieth of a pixel."""
    radius = max(abs(rx), abs(ry), 1.0)
    steps = max(12, math.ceil(math.pi / math.acos(1 - _DEVIATION / radius)))
    angles = [2 * math.pi * step / steps for step in range(steps)]
    return polygon(_turned([(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles], (x, y), rotation))


def pixels(mask: NDArray[np.bool_], left: int, top: int, size: Size) -> Segmentation:
    """The pixels of a window, bool [h, w], of an image of ``size`` (H, W), as a run-length code."""
    height, width = mask.shape
    if left < 0 or top < 0 or left + width > size[1] or top + height > size[0]:
        raise DataError(
            f'a mask of {width} x {height} pixels at ({left}, {top}) does not lie within its image of '
            f'{size[1]} x {size[0]}'
        )
    whole = np.zeros(size, dtype=bool)
    whole[top : top + height, left : left + width] = mask
    return encode(whole)


def encode(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """A mask [H, W] as COCO's compressed run-length code."""
    from pycocotools import mask as coco

    code = coco.encode(np.asfortranarray(mask.view(np.uint8)))
    return dict(size=list(mask.shape), counts=code['counts'].decode())


def joined(parts: Sequence[Segmentation], size: Size) -> Segmentation:
    """Several parts as one object: polygons stay polygons, beside masks all become pixels."""
    rings: list[list[float]] = []
    for part in parts:
        if not isinstance(part, list):
            return parts[0] if len(parts) == 1 else encode(reduce(np.logical_or, [mask_of(own, size) for own in parts]))
        rings += part
    return rings


def numbers(values: Sequence[Any]) -> list[float]:
    """Coordinates, which must be finite numbers."""
    for value in values:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise DataError(f'a coordinate is {written(value)}; it must be a number')
    return [round(float(value), 4) for value in values]


def _turned(
    points: Sequence[tuple[float, float]], centre: tuple[float, float], degrees: float
) -> list[tuple[float, float]]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    moved = [(x - centre[0], y - centre[1]) for x, y in points]
    return [(centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos) for x, y in moved]
