"""Images that are too large for one pass: cut into overlapping tiles, whose class scores fade into each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor

from ...errors import OptionError
from ..postprocess.row_maps import RowMaps, Size
from ..postprocess.semantic import class_scores
from ..structures import Prediction

STRIDE = 32
"""Pixels of a cell of the coarsest map: tiles that start and end with a cell see the image as one pass does."""


class Reader(Protocol):
    """What can read a tile."""

    def predictions(self, images: Tensor, metas: Sequence[dict[str, Any]]) -> list[list[Prediction]]:
        """What is said of each image ``[B, 3, H, W]`` in each label space that its metainfo asks for."""


@dataclass(frozen=True)
class Tiles:
    """How images are cut.

    Attributes:
        size: The largest tile, height and width in pixels of the model's input.
        overlap: The least that neighbours share, in pixels.

    Raises:
        OptionError: A size or an overlap that is not a multiple of :data:`STRIDE`, or more than a third of the size as
            overlap.
    """

    size: Size
    overlap: int = 128

    def __post_init__(self) -> None:
        if min(self.size) < STRIDE or any(side % STRIDE for side in (*self.size, self.overlap)):
            raise OptionError(
                f'test_cfg.tiles takes a size and an overlap in multiples of {STRIDE} pixels, got size {self.size} and '
                f'overlap {self.overlap}'
            )
        if not 0 <= 3 * self.overlap <= min(self.size):
            raise OptionError(
                f'test_cfg.tiles.overlap must be from 0 to a third of the size {self.size}, got {self.overlap}'
            )

    def suffice(self, size: Size) -> bool:
        """Whether one tile holds an image of this size."""
        return size[0] <= self.size[0] and size[1] <= self.size[1]


def spans(length: int, most: int, overlap: int) -> list[range]:
    """The fewest tiles along one side of an image, all of one length, and that as short as whole cells allow.

    Args:
        length: Of the side, in pixels.
        most: The largest tile.
        overlap: The least that neighbours share.

    Example:
        >>> spans(250, 128, 32)
        [range(0, 128), range(96, 224), range(122, 250)]
        >>> spans(260, 224, 32)
        [range(0, 160), range(100, 260)]
    """
    if length <= most:
        return [range(length)]
    number = math.ceil((length - overlap) / (most - overlap))
    own = math.ceil((length + (number - 1) * overlap) / number / STRIDE) * STRIDE
    starts = [min(i * (own - overlap), length - own) for i in range(number)]
    return [range(start, start + own) for start in starts]


def shares(tiles: list[range]) -> Tensor:
    """How much each tile counts at each pixel along a side, ``[tiles, length]``; the sum over tiles is 1.

    A share falls linearly towards the end of a tile, over as many pixels as the least overlap of two neighbours.
    """
    length = tiles[-1].stop
    overlap = min((one.stop - other.start for one, other in pairwise(tiles)), default=0)
    place = torch.arange(length) + 0.5
    inside = [torch.minimum(place - own.start, own.stop - place) for own in tiles]  # pixels to the nearer end
    weight = torch.stack(inside).div_(max(overlap, 1)).clamp_(0, 1)
    return weight / weight.sum(0)


def tiled_scores(model: Reader, image: Tensor, meta: Mapping[str, Any], tiles: Tiles) -> RowMaps:
    """Class scores ``[H, W, K]`` of a large image, read tile by tile as somebody asks for rows.

    The scores of tiles are blended by their :func:`shares`. At any time what the model said of two rows of tiles is
    kept, at the size of its mask logits.

    Args:
        model: Reads the tiles.
        image: ``[3, H, W]``, padded.
        meta: Its metainfo: ``img_shape`` (before padding), and what the model reads.
        tiles: How to cut.

    Raises:
        OptionError: Where the sample asks for several label spaces.
    """
    # Padding beyond whole cells comes from larger images of the batch: no tile shall see nothing else.
    height, width = (min(s, -(-c // STRIDE) * STRIDE) for s, c in zip(image.shape[1:], meta['img_shape'], strict=False))
    down, across = (
        spans(length, most, tiles.overlap) for length, most in zip((height, width), tiles.size, strict=True)
    )
    share_down, share_across = (shares(own).to(image.device) for own in (down, across))

    @lru_cache(maxsize=2)
    def read(row: int) -> list[RowMaps]:
        return [_read(model, image, meta, down[row], columns) for columns in across]

    first_tile = read(0)[0]  # every tile has its classes and its precision

    def rows(first: int, stop: int) -> Tensor:
        total = image.new_zeros(stop - first, width, first_tile.channels, dtype=first_tile.dtype)
        for i, own in enumerate(down):
            common = range(max(first, own.start), min(stop, own.stop))
            if not common:
                continue
            for j, scores in enumerate(read(i)):
                part = scores.rows(common.start - own.start, common.stop - own.start)  # [R, w, K]
                columns = slice(across[j].start, across[j].stop)
                weight = share_down[i, common.start : common.stop, None] * share_across[j, columns]  # [R, w]
                total[common.start - first : common.stop - first, columns].addcmul_(part, weight[..., None])
        return total

    return replace(first_tile, rows=rows, size=(height, width))


def _read(model: Reader, image: Tensor, meta: Mapping[str, Any], rows: range, columns: range) -> RowMaps:
    """The class scores of a tile, of whose prediction nothing else is kept."""
    size = (len(rows), len(columns))
    height, width = meta['img_shape'][:2]
    content = (min(height - rows.start, size[0]), min(width - columns.start, size[1]))
    own = dict(meta, img_shape=content, pad_shape=size, batch_input_shape=size)
    tile = image[None, :, rows.start : rows.stop, columns.start : columns.stop]
    said = model.predictions(tile, [own])[0]
    if len(said) > 1:
        raise OptionError('test_cfg.tiles: an image that needs several tiles cannot be asked in several label spaces')
    return class_scores(replace(said[0], mask_logits=said[0].mask_logits.clone()), size)
