"""What a model says of an image that is read in tiles, and its class scores, which fade into each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from torch import Tensor

from ...run_lengths import Edges, window
from ..postprocess.lazy_maps import LazyMaps, Size
from ..postprocess.semantic import class_scores
from ..postprocess.view import View
from ..structures import Prediction
from .tiles import Tiles, cells, common, counted_from, shares, spans


class Reader(Protocol):
    """What can read a tile, whose height and width are multiples of ``size_divisor``."""

    size_divisor: int

    def predictions(self, images: Tensor, metas: Sequence[dict[str, Any]]) -> list[list[Prediction]]:
        """What is said of each image ``[B, 3, H, W]`` in each label space that its metainfo asks for."""


class ImageReader(Protocol):
    """Where the pixels of tiles come from: a tensor, or a file that does not fit into memory."""

    def __call__(self, rows: range, columns: range) -> Tensor:
        """A tile ``[3, h, w]`` as the model takes it; beyond the image lies padding."""


class TiledImage:
    """What a model says of a large image, tile by tile.

    Of what it said, the last rows of tiles are kept, at the size of its mask logits: nearly always two.

    Args:
        model: Reads the tiles.
        image: ``[3, H, W]``, padded; or who reads it, which pads it to whole cells.
        meta: Its metainfo: ``img_shape`` (before padding), and what the model reads.
        tiles: How to cut.
    """

    def __init__(self, model: Reader, image: Tensor | ImageReader, meta: Mapping[str, Any], tiles: Tiles) -> None:
        self.model, self.meta = model, meta
        # Padding beyond whole cells comes from larger images of the batch: no tile shall see nothing else.
        multiple = model.size_divisor
        padded = (-(-side // multiple) * multiple for side in meta['img_shape'][:2])
        if isinstance(image, Tensor):
            whole = image
            self.image: ImageReader = lambda rows, columns: whole[
                :, rows.start : rows.stop, columns.start : columns.stop
            ]
            height, width = (min(own, most) for own, most in zip(image.shape[1:], padded, strict=True))
        else:
            self.image = image
            height, width = padded
        self.size: Size = (height, width)
        self.down, self.across = (
            spans(length, most, tiles.overlap, multiple) for length, most in zip(self.size, tiles.size, strict=True)
        )
        self._rows: dict[int, list[list[Prediction]]] = {}
        self._kept = max(2, *(len(own) for _, own in cells(self.down)))

    def row(self, i: int) -> list[list[Prediction]]:
        """What is said of each tile of a row, in each label space that is asked for.

        The last rows are kept, as many as there are over any pixel, and at least two.
        """
        if i not in self._rows:
            while len(self._rows) >= self._kept:
                del self._rows[next(iter(self._rows))]
            self._rows[i] = [self._read(self.down[i], columns) for columns in self.across]
        return self._rows[i]

    def view(self, i: int, j: int) -> View:
        """Where the tile in row i and column j lies in the original image."""
        rows, columns = self.down[i], self.across[j]
        return View((len(rows), len(columns)), self.meta, (rows, columns), self.size)

    @property
    def windows(self) -> tuple[list[range], list[range]]:
        """The rows of the original image that each row of tiles sees, and the columns of each column."""
        rows = [self.view(i, 0).window[0] for i in range(len(self.down))]
        return rows, [self.view(0, j).window[1] for j in range(len(self.across))]

    @property
    def original(self) -> Size:
        """Height and width of the original image."""
        return self.view(0, 0).original

    def overlap(self, one: tuple[int, int], other: tuple[int, int]) -> Edges:
        """The window of the original image that two tiles see; a tile is its row and its column."""
        rows, columns = (common(a, b) for a, b in zip(self.view(*one).window, self.view(*other).window, strict=True))
        return window(self.original, rows, columns)

    def _read(self, rows: range, columns: range) -> list[Prediction]:
        """What is said of a tile, of which nothing else is kept."""
        size = (len(rows), len(columns))
        height, width = self.meta['img_shape'][:2]
        content = (min(height - rows.start, size[0]), min(width - columns.start, size[1]))
        own = dict(self.meta, img_shape=content, pad_shape=size, batch_input_shape=size)
        said = self.model.predictions(self.image(rows, columns)[None], [own])[0]
        return [replace(one, mask_logits=one.mask_logits.clone()) for one in said]

    def class_scores(self) -> LazyMaps:
        """Class scores ``[H, W, K]`` of the padded input, read as somebody asks for rows.

        The scores of tiles are blended by their :func:`shares`.
        """
        height, width = self.size
        one = self.row(0)[0][0]  # every tile has its classes and its precision
        share_down, share_across = (shares(own).to(one.classes.device) for own in (self.down, self.across))
        first_tile = class_scores(one, self.view(0, 0).size)

        def read(rows: range, columns: range) -> Tensor:
            total = one.classes.new_zeros(len(rows), len(columns), first_tile.channels)
            for i, own_rows in enumerate(self.down):
                for j, own_columns in enumerate(self.across):
                    seen = [common(rows, own_rows), common(columns, own_columns)]
                    if not all(seen):
                        continue
                    scores = class_scores(self.row(i)[j][0], (len(own_rows), len(own_columns)))
                    part = scores.read(counted_from(own_rows, seen[0]), counted_from(own_columns, seen[1]))  # [r, c, K]
                    weight = share_down[i, _slice(seen[0]), None] * share_across[j, _slice(seen[1])]  # [r, c]
                    place = _slice(counted_from(rows, seen[0])), _slice(counted_from(columns, seen[1]))
                    total[place].addcmul_(part, weight[..., None].to(part.dtype))
            return total

        return replace(first_tile, read=read, size=(height, width))


def _slice(own: range) -> slice:
    return slice(own.start, own.stop)
