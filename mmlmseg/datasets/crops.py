"""Random crops whose size is random too."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmseg.datasets.transforms import RandomCrop

from ..registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomRangeCrop(RandomCrop):
    """Crops images to a height and a width drawn from a range, as DETR and MaskFormer do for COCO.

    Args:
        low: The smallest side of a crop in pixels; an image that is smaller keeps its side.
        high: The largest.

    Raises:
        ValueError: Where the range is empty or not positive.
    """

    def __init__(self, low: int, high: int) -> None:
        if not 0 < low <= high:
            raise ValueError(f'crops are drawn from {low} to {high} pixels; give a range of positive sizes')
        super().__init__(crop_size=(high, high))
        self.low, self.high = low, high

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crops image and maps alike."""
        height, width = results['img'].shape[:2]
        self.crop_size = (self._side(height), self._side(width))
        return super().transform(results)

    def _side(self, available: int) -> int:
        return int(np.random.randint(min(self.low, available), min(self.high, available) + 1))

    def __repr__(self) -> str:
        return f'{type(self).__name__}(low={self.low}, high={self.high})'
