"""A canvas that remembers what every pixel shows: the picture and its truth are painted with the same strokes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from .spaces import PART_IDS

Colour = tuple[float, float, float]
Pattern = Literal['plain', 'rough', 'leaves', 'bricks', 'planks', 'tiles', 'stripes', 'checks']

_SUPERSAMPLING = 2
_SHIFT = 4  # sub-pixel bits of cv2.fillPoly


@dataclass(frozen=True)
class Frame:
    """Local coordinates of an object: the origin at its foot, y up, one unit = ``unit`` pixels.

    Args:
        x: Foot, in pixels from the left.
        y: Foot, in pixels from the top.
        unit: Length of one local unit in pixels.
        mirrored: Whether the local x axis points left.
    """

    x: float
    y: float
    unit: float
    mirrored: bool = False

    def __call__(self, outline: np.ndarray) -> np.ndarray:
        """Local outline [n, 2] to pixels [n, 2]."""
        sign = -1.0 if self.mirrored else 1.0
        return np.stack([self.x + sign * self.unit * outline[:, 0], self.y - self.unit * outline[:, 1]], axis=1)


def rectangle(left: float, bottom: float, right: float, top: float) -> np.ndarray:
    """Outline of a rectangle: [4, 2]."""
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]], dtype=float)


def ellipse(x: float, y: float, rx: float, ry: float, points: int = 24) -> np.ndarray:
    """Outline of an ellipse: [points, 2]."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def blob(rng: np.random.Generator, x: float, y: float, rx: float, ry: float, wobble: float = 0.1) -> np.ndarray:
    """Outline of an ellipse with a wavy border: [32, 2]."""
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    radius = np.ones_like(angle)
    for waves in (2, 3, 5, 7):
        radius += wobble * rng.uniform(-1, 1) * np.sin(waves * angle + rng.uniform(0, 2 * np.pi)) / np.sqrt(waves)
    return np.stack([x + rx * radius * np.cos(angle), y + ry * radius * np.sin(angle)], axis=1)


def limb(
    start: tuple[float, float], end: tuple[float, float], width: float, end_width: float | None = None
) -> np.ndarray:
    """Outline of a tapered bar from one point to another: [4, 2]."""
    a, b = np.array(start, dtype=float), np.array(end, dtype=float)
    along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
    across = np.array([-along[1], along[0]])
    first, last = width / 2, (width if end_width is None else end_width) / 2
    return np.stack([a + across * first, a - across * first, b - across * last, b + across * last])


class Canvas:
    """Picture, part map, object map and component map, painted back to front.

    Args:
        rng: Source of all randomness of the scene.
        size: (height, width) of the finished picture.
        light: Side the light comes from, -1 (left) to 1 (right).

    Coordinates are in pixels of the finished picture, y down; painting happens at twice the resolution, so that the
    picture has soft borders while the truth stays exact.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[int, int], light: float) -> None:
        self.size = size
        self.light = light
        self.height, self.width = size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING
        shape = (self.height, self.width)
        self.image = np.zeros((*shape, 3), dtype=np.float32)
        self.parts = np.zeros(shape, dtype=np.uint8)
        self.objects = np.zeros(shape, dtype=np.uint16)  # 0 = not an object
        self.components = np.zeros(shape, dtype=np.uint16)  # 0 = not a component
        self.object_names: list[str] = []
        self._component_count = 0
        self._rough = _noise(rng, shape, coarsest=16)
        self._fine = rng.standard_normal(shape, dtype=np.float32)

    def new_object(self, name: str) -> int:
        """Id (from 1) for a new object of the given kind."""
        self.object_names.append(name)
        return len(self.object_names)

    def new_component(self) -> int:
        """Id (from 1) for a new component, such as one window or one shirt."""
        self._component_count += 1
        return self._component_count

    def paint(
        self,
        outline: np.ndarray,
        part: str,
        colour: Colour,
        *,
        owner: int = 0,
        component: int = 0,
        pattern: Pattern = 'rough',
        period: float = 4.0,
    ) -> None:
        """Fill a polygon with one part; what lay below is occluded.

        Args:
            outline: Corners in pixels, [n, 2].
            part: Name of the part.
            colour: RGB, 0 to 255.
            owner: The object it belongs to (0 = none).
            component: The component it belongs to (0 = none).
            pattern: Surface of the part.
            period: Length of one repeat of the pattern, in pixels.
        """
        box, mask = self._mask(outline)
        if box is None:
            return
        self.parts[box][mask] = PART_IDS[part]
        self.objects[box][mask] = owner
        self.components[box][mask] = component
        shade = self._surface(box, pattern, period * _SUPERSAMPLING) * self._light(box, outline)
        self.image[box][mask] = shade[mask][:, None] * np.asarray(colour, dtype=np.float32)

    def darken(self, outline: np.ndarray, factor: float) -> None:
        """Multiply the picture inside a polygon (a shadow, a reflection); the truth stays."""
        box, mask = self._mask(outline)
        if box is not None:
            self.image[box][mask] *= factor

    def blend_rows(self, top: Colour, bottom: Colour, horizon: float) -> None:
        """Lay a vertical gradient over what is painted so far, from the top row to ``horizon`` (pixels)."""
        rows = np.clip(np.arange(self.height) / max(horizon * _SUPERSAMPLING, 1), 0, 1)[:, None, None]
        self.image *= (np.array(top) * (1 - rows) + np.array(bottom) * rows).astype(np.float32) / 255

    def _mask(self, outline: np.ndarray) -> tuple[tuple[slice, slice] | None, np.ndarray]:
        """The polygon's bounding box on the canvas (None when it lies outside) and its mask in there."""
        points = np.asarray(outline, dtype=float) * _SUPERSAMPLING
        left, top = np.floor(points.min(axis=0)).astype(int)
        right, bottom = np.ceil(points.max(axis=0)).astype(int) + 1
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, self.width), min(bottom, self.height)
        if left >= right or top >= bottom:
            return None, np.zeros((0, 0), dtype=bool)
        mask = np.zeros((bottom - top, right - left), dtype=np.uint8)
        fixed = np.round((points - (left, top)) * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 1, shift=_SHIFT)
        return (slice(top, bottom), slice(left, right)), mask.astype(bool)

    def _light(self, box: tuple[slice, slice], outline: np.ndarray) -> np.ndarray:
        """Brighter on the side of the light: [1, w] over the box."""
        left, right = float(outline[:, 0].min()), float(outline[:, 0].max())
        x = np.arange(box[1].start, box[1].stop, dtype=np.float32) / _SUPERSAMPLING
        return (1 + 0.18 * self.light * (2 * (x - left) / max(right - left, 1e-3) - 1))[None]

    def _surface(self, box: tuple[slice, slice], pattern: Pattern, period: float) -> np.ndarray:
        """Brightness factors of a surface over the box: [h, w]."""
        rough, fine = self._rough[box], self._fine[box]
        shade = 1 + 0.05 * rough + 0.02 * fine
        y = np.arange(box[0].start, box[0].stop)[:, None] / period
        x = np.arange(box[1].start, box[1].stop)[None] / period
        if pattern == 'plain':
            return 1 + 0.03 * rough
        if pattern == 'leaves':
            return 1 + 0.15 * rough + 0.12 * fine
        if pattern == 'bricks':
            joint = (y % 1 < 0.25) | ((x / 2 + 0.5 * (np.floor(y) % 2)) % 1 < 0.12)
            return shade * np.where(joint, 0.82, 1.0)
        if pattern == 'planks':
            return shade * np.where((x + 0 * y) % 1 < 0.2, 0.78, 1.0)
        if pattern == 'tiles':
            return shade * np.where(y + 0 * x - np.floor(y) < 0.3, 0.8, 1.0)
        if pattern == 'stripes':
            return shade * np.where((y + 0 * x) % 1 < 0.5, 0.65, 1.1)
        if pattern == 'checks':
            return shade * np.where((np.floor(2 * y) + np.floor(2 * x)) % 2 < 1, 0.7, 1.1)
        return shade

    def finish(
        self, rng: np.random.Generator, tint: Colour, noise: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Tint, add sensor noise and scale down.

        Returns:
            image uint8 [H, W, 3] (RGB), parts uint8 [H, W], objects uint16 [H, W], components uint16 [H, W]
        """
        step = _SUPERSAMPLING
        image = cv2.resize(self.image, (self.size[1], self.size[0]), interpolation=cv2.INTER_AREA)
        image = image * np.asarray(tint, dtype=np.float32) + noise * rng.standard_normal(image.shape, dtype=np.float32)
        parts, objects, components = (m[::step, ::step].copy() for m in (self.parts, self.objects, self.components))
        return np.clip(np.rint(image), 0, 255).astype(np.uint8), parts, objects, components


def _noise(rng: np.random.Generator, shape: tuple[int, int], coarsest: int) -> np.ndarray:
    """Smooth noise of about unit variance with detail at several scales: float32 [h, w]."""
    total: np.ndarray = np.zeros(shape, dtype=np.float32)
    cell = coarsest
    while cell >= 2:
        grid = rng.standard_normal((shape[0] // cell + 2, shape[1] // cell + 2), dtype=np.float32)
        total = total + cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
        cell //= 2
    return total / max(float(total.std()), 1e-6)
