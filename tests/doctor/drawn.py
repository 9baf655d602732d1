"""What the datasets of these tests are drawn of."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIZE = (48, 64)  # height, width


def draw_photo(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A smooth picture, as photos are."""
    cells = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(size[::-1], Image.Resampling.BICUBIC)


def square(x: float, y: float, side: float) -> list[list[float]]:
    """A polygon of COCO's format."""
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]
