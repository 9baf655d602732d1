"""What part of an image a model was shown, and how maps of that part get into the original image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...errors import OptionError
from .lazy_maps import LazyMaps, Size, content_size, flipped_axes


@dataclass(frozen=True)
class View:
    """A padded input, or a tile of it.

    Attributes:
        size: Height and width of what the model read.
        meta: Metainfo of the whole image, see :meth:`LazyMaps.restore`.
        tile: Rows and columns of the tile in the padded input; None where the model read all of it.
        whole: Height and width of the padded input.
    """

    size: Size
    meta: Mapping[str, Any]
    tile: tuple[range, range] | None = None
    whole: Size = (0, 0)

    @property
    def original(self) -> Size:
        """Height and width of the original image."""
        height, width = self.meta['ori_shape'][:2]
        return height, width

    @property
    def window(self) -> tuple[range, range]:
        """Rows and columns of the original image whose centres lie in the view.

        Raises:
            OptionError: Where tiles are of an image that was flipped.
        """
        if self.tile is None:
            return range(self.original[0]), range(self.original[1])
        if flipped_axes(self.meta):
            raise OptionError('test_cfg.tiles: of an image that is flipped, tiles make semantic results only')
        shown = content_size(self.meta)
        rows, columns = (
            range(*(min(math.ceil(place * most / inner - 0.5), most) for place in (max(own.start, 0), own.stop)))
            for own, inner, most in zip(self.tile, shown, self.original, strict=True)
        )
        return rows, columns

    def maps(self, given: Tensor, dtype: Any) -> LazyMaps:
        """Maps of the view ``[n, h, w]`` in the window of the original image."""
        resized = LazyMaps.of(given, dtype).resize(self.size)
        if self.tile is None:
            return resized.restore(self.meta)
        rows, columns = self.tile
        return resized.placed(self.whole, rows.start, columns.start).restore(self.meta).within(*self.window)
