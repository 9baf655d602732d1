"""Maps of one image that exist only a few rows at a time: results at full size without maps at full size.

A class map of K classes follows from scores ``[H, W, K]``, of which no pixel needs another one's. Made a strip of rows
at a time they stay in the processor's cache, and 1203 classes at 1024x2048 need megabytes instead of 10 GB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

Size = tuple[int, int]
"""Height and width, in pixels."""

STRIP = 2**20
"""Numbers in a strip, 4 MB in float32; see docs/performance.md."""

LEAST_ROWS = 4
"""Of a strip, as to resize one row takes two."""

_FLIPPED_AXES: dict[str, tuple[int, ...]] = {'none': (), 'horizontal': (1,), 'vertical': (0,), 'diagonal': (0, 1)}


@dataclass(frozen=True)
class RowMaps:
    """Maps ``[H, W, C]`` that are made row by row, as often as somebody asks.

    Channels come last, other than torch has them: so reads of neighbouring pixels, sums over queries and the best of
    many classes each run along memory.

    Attributes:
        rows: From the first row and the one after the last to a new tensor ``[rows, W, C]``.
        size: (H, W).
        channels: C.
        depth: The most channels on the way to these: what a pixel costs in memory.
        dtype: The precision of the numbers.
        device: Where they are made.
    """

    rows: Callable[[int, int], Tensor]
    size: Size
    channels: int
    depth: int
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, maps: Tensor, dtype: torch.dtype) -> RowMaps:
        """Maps that exist, ``[C, H, W]``, in the precision that their rows get."""
        last = maps.movedim(0, -1)  # [H, W, C]

        def rows(first: int, stop: int) -> Tensor:
            return last[first:stop].to(dtype, copy=True, memory_format=torch.contiguous_format)

        return cls(rows, (maps.shape[1], maps.shape[2]), len(maps), len(maps), dtype, maps.device)

    @classmethod
    def joined(cls, parts: Sequence[RowMaps]) -> RowMaps:
        """The channels of some maps of one size, one after the other."""
        channels, depth = sum(part.channels for part in parts), sum(part.depth for part in parts)

        def rows(first: int, stop: int) -> Tensor:
            return torch.cat([part.rows(first, stop) for part in parts], -1)

        return replace(parts[0], rows=rows, channels=channels, depth=depth)

    def map(self, function: Callable[[Tensor], Tensor], channels: int | None = None) -> RowMaps:
        """The maps after a function of each pixel, ``[..., C]`` to ``[..., channels]``, which may change its input.

        By default the number of channels stays.
        """
        number = self.channels if channels is None else channels
        return replace(
            self, rows=lambda *span: function(self.rows(*span)), channels=number, depth=max(self.depth, number)
        )

    def resize(self, size: Size) -> RowMaps:
        """The maps in another size: bilinear, ``align_corners=False``, as :func:`torch.nn.functional.interpolate`."""
        return self if size == self.size else replace(self, rows=partial(self._resized, size), size=size)

    def _resized(self, size: Size, first: int, stop: int) -> Tensor:
        low, high, _ = _neighbours(self.size[0], size[0], self.dtype, torch.device('cpu'))
        start = int(low[first])
        part = self.rows(start, int(high[stop - 1]) + 1)  # [r, w, C]
        low, high, weight = _neighbours(self.size[0], size[0], self.dtype, self.device)
        above, below = (part.index_select(0, places[first:stop] - start) for places in (low, high))
        part = torch.lerp(above, below, weight[first:stop, None, None])  # [R, w, C], before there are more columns
        low, high, weight = _neighbours(self.size[1], size[1], self.dtype, self.device)
        return torch.lerp(part.index_select(1, low), part.index_select(1, high), weight[:, None])  # [R, W, C]

    def restore(self, meta: Mapping[str, Any]) -> RowMaps:
        """The maps in the original image: no padding, no flip, original size.

        Args:
            meta: The sample's metainfo: ``img_shape`` (before padding, which lies right and below), ``ori_shape``;
                ``flip`` with ``flip_direction`` if the image was flipped; and where the pipeline padded it,
                ``content_shape`` (before that) and perhaps ``flip_shape`` (as it was flipped).

        Raises:
            ValueError: On an unknown direction.
        """
        height, width = meta.get('content_shape', meta['img_shape'])[:2]
        frame = meta.get('flip_shape', meta['img_shape'])[:2]  # what is right in it is left after a flip
        direction = meta.get('flip_direction') if meta.get('flip') else 'none'
        if direction not in _FLIPPED_AXES:
            raise ValueError(f'flip_direction {direction!r} is unknown; use one of {", ".join(_FLIPPED_AXES)}.')
        axes = _FLIPPED_AXES[direction]

        def content(first: int, stop: int) -> Tensor:
            rows = (frame[0] - stop, frame[0] - first) if 0 in axes else (first, stop)
            left = frame[1] - width if 1 in axes else 0
            part = self.rows(*rows)[:, left : left + width]
            return part.flip(axes) if axes else part

        original = meta['ori_shape'][:2]
        return replace(self, rows=content, size=(height, width)).resize((original[0], original[1]))

    def strips(self) -> Iterator[tuple[slice, Tensor]]:
        """All rows, a few at a time: which they are, and ``[rows, W, C]``."""
        height, width = self.size
        step = max(LEAST_ROWS, STRIP // (width * self.depth))
        for first in range(0, height, step):
            stop = min(first + step, height)
            yield slice(first, stop), self.rows(first, stop)


@lru_cache(maxsize=64)
def _neighbours(source: int, target: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Of each place of the target the two of the source that it lies between, and how near it is to the second.

    Computed in the precision of the maps, as torch does: then the weights are torch's to the bit.
    """
    place = (torch.arange(target, dtype=dtype) + 0.5) * (torch.tensor(source, dtype=dtype) / target) - 0.5
    low = place.clamp_(min=0).long()
    return tuple(part.to(device) for part in (low, (low + 1).clamp_(max=source - 1), place - low))  # type: ignore[return-value]


def best(scores: Tensor) -> Tensor:
    """The first of the largest channels, ``[..., C]`` to long ``[...]``.

    NumPy's is vectorised along memory, torch's is not: 0.24 and 1.14 ms for 8192 pixels of 150 classes on one core.
    """
    return torch.from_numpy(scores.numpy().argmax(-1)) if scores.device.type == 'cpu' else scores.argmax(-1)
