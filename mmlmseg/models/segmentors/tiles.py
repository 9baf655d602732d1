"""How images that are too large for one pass are cut into overlapping tiles, and what each tile counts where."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ...errors import OptionError
from ..data_preprocessor import USUAL_DIVISOR
from ..postprocess.lazy_maps import Size


@dataclass(frozen=True)
class Tiles:
    """How images are cut.

    Attributes:
        size: The largest tile, height and width in pixels of the model's input.
        overlap: The least that neighbours share, in pixels.
    """

    size: Size
    overlap: int = 128

    def check(self, multiple: int) -> None:
        """Refuses what cannot be cut from images whose sides are multiples of some number of pixels.

        Tiles that start and end with a cell of the coarsest map see the image as one pass does.

        Raises:
            OptionError: A size or an overlap that is no such multiple, or more than a third of the size as overlap.
        """
        if min(self.size) < multiple or any(side % multiple for side in (*self.size, self.overlap)):
            near = whole_tiles(multiple, self.size, self.overlap)
            raise OptionError(
                f'test_cfg.tiles takes a size and an overlap in multiples of {multiple} pixels, got size {self.size} '
                f'and overlap {self.overlap}; take size {near.size} and overlap {near.overlap}'
            )
        if not 0 <= 3 * self.overlap <= min(self.size):
            raise OptionError(
                f'test_cfg.tiles.overlap must be from 0 to a third of the size {self.size}, got {self.overlap}'
            )

    def suffice(self, size: Size) -> bool:
        """Whether one tile holds an image of this size."""
        return size[0] <= self.size[0] and size[1] <= self.size[1]


def whole_tiles(multiple: int, size: Size = (1024, 1024), overlap: int = 128) -> Tiles:
    """The largest tiles of at most these pixels whose size and overlap are multiples of some number.

    Example:
        >>> whole_tiles(28)
        Tiles(size=(1008, 1008), overlap=112)
    """
    height, width = (max(side // multiple, 1) * multiple for side in size)
    return Tiles((height, width), max(0, min(overlap, height // 3, width // 3)) // multiple * multiple)


def spans(length: int, most: int, overlap: int, multiple: int = USUAL_DIVISOR) -> list[range]:
    """The fewest tiles along one side of an image, all of one length, and that as short as whole cells allow.

    Args:
        length: Of the side, in pixels.
        most: The largest tile.
        overlap: The least that neighbours share.
        multiple: Pixels of a whole cell.

    Example:
        >>> spans(250, 128, 32)
        [range(0, 128), range(96, 224), range(122, 250)]
        >>> spans(260, 224, 32)
        [range(0, 160), range(100, 260)]
    """
    if length <= most:
        return [range(length)]
    number = math.ceil((length - overlap) / (most - overlap))
    own = math.ceil((length + (number - 1) * overlap) / number / multiple) * multiple
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


def cells(ranges: Sequence[range]) -> Iterator[tuple[range, list[int]]]:
    """What the ends of ranges cut them into, and which of the ranges hold each.

    Example:
        >>> list(cells([range(0, 4), range(3, 7)]))
        [(range(0, 3), [0]), (range(3, 4), [0, 1]), (range(4, 7), [1])]
    """
    ends = sorted({end for own in ranges for end in (own.start, own.stop)})
    for start, stop in pairwise(ends):
        yield range(start, stop), [i for i, own in enumerate(ranges) if own.start <= start and stop <= own.stop]


def common(one: range, other: range) -> range:
    """What two ranges share.

    Example:
        >>> common(range(0, 4), range(3, 7)), len(common(range(0, 3), range(5, 7)))
        (range(3, 4), 0)
    """
    return range(max(one.start, other.start), min(one.stop, other.stop))


def counted_from(origin: range, own: range) -> range:
    """A range counted from the start of another one.

    Example:
        >>> counted_from(range(3, 7), range(4, 6))
        range(1, 3)
    """
    return range(own.start - origin.start, own.stop - origin.start)
