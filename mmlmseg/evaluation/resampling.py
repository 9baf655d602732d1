"""Images drawn again with replacement: what intervals and paired differences of scores are made of (Efron, 1979)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def times_drawn(images: int, draws: int) -> NDArray[np.int64]:
    """How often each image stands in each draw of as many images, ``[draws, images]``.

    It depends on the two numbers alone. So a draw holds the same images whatever was found in them, and differences of
    what two models score in it are paired.

    Args:
        images: How many there are.
        draws: How many draws.

    Example:
        >>> times_drawn(images=4, draws=2)
        array([[0, 0, 2, 2],
               [1, 0, 0, 3]])
    """
    drawn = np.random.default_rng(images).integers(0, images, (draws, images))
    return np.stack([np.bincount(draw, minlength=images) for draw in drawn])
