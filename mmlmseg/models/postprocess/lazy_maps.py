"""Maps of one image that exist only a window at a time: results at full size without maps at full size.

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
class LazyMaps:
    """Maps ``[H, W, C]`` that are made window by window, as often as somebody asks.

    Channels come last, other than torch has them: so reads of neighbouring pixels, sums over queries and the best of
    many classes each run along memory.

    Attributes:
        read: From the rows and the columns of a window to a new tensor ``[rows, columns, C]``.
        size: (H, W).
        channels: C.
        depth: The most channels on the way to these: what a pixel costs in memory.
        dtype: The precision of the numbers.
        device: Where they are made.
    """

    read: Callable[[range, range], Tensor]
    size: Size
    channels: int
    depth: int
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, maps: Tensor, dtype: torch.dtype) -> LazyMaps:
        """Maps that exist, ``[C, H, W]``, in the precision that their windows get."""
        last = maps.movedim(0, -1)  # [H, W, C]

        def read(rows: range, columns: range) -> Tensor:
            part = last[rows.start : rows.stop, columns.start : columns.stop]
            return part.to(dtype, copy=True, memory_format=torch.contiguous_format)

        return cls(read, (maps.shape[1], maps.shape[2]), len(maps), len(maps), dtype, maps.device)

    @classmethod
    def joined(cls, parts: Sequence[LazyMaps]) -> LazyMaps:
        """The channels of some maps of one size, one after the other."""
        channels, depth = sum(part.channels for part in parts), sum(part.depth for part in parts)

        def read(rows: range, columns: range) -> Tensor:
            return torch.cat([part.read(rows, columns) for part in parts], -1)

        return replace(parts[0], read=read, channels=channels, depth=depth)

    def map(self, function: Callable[[Tensor], Tensor], channels: int | None = None) -> LazyMaps:
        """The maps after a function of each pixel, ``[..., C]`` to ``[..., channels]``, which may change its input.

        By default the number of channels stays.
        """
        number = self.channels if channels is None else channels
        return replace(
            self, read=lambda *window: function(self.read(*window)), channels=number, depth=max(self.depth, number)
        )

    def within(self, rows: range, columns: range) -> LazyMaps:
        """A window of the maps."""

        def read(inner_rows: range, inner_columns: range) -> Tensor:
            return self.read(_moved(inner_rows, rows.start), _moved(inner_columns, columns.start))

        return replace(self, read=read, size=(len(rows), len(columns)))

    def placed(self, size: Size, top: int, left: int) -> LazyMaps:
        """The maps as a window of larger ones, which go on beyond it as they end at its borders."""

        def read(rows: range, columns: range) -> Tensor:
            inner = [
                torch.arange(own.start - first, own.stop - first).clamp_(0, side - 1)
                for own, first, side in zip((rows, columns), (top, left), self.size, strict=True)
            ]
            spans = [range(int(places[0]), int(places[-1]) + 1) for places in inner]
            part = self.read(spans[0], spans[1])
            for axis, (places, span, own) in enumerate(zip(inner, spans, (rows, columns), strict=True)):
                if len(span) < len(own):
                    part = part.index_select(axis, (places - span.start).to(part.device))
            return part

        return replace(self, read=read, size=size)

    def resize(self, size: Size) -> LazyMaps:
        """The maps in another size: bilinear, ``align_corners=False``, as :func:`torch.nn.functional.interpolate`."""
        return self if size == self.size else replace(self, read=partial(self._resized, size), size=size)

    def _resized(self, size: Size, rows: range, columns: range) -> Tensor:
        sides = list(zip(self.size, size, (rows, columns), strict=True))
        on_host = [_neighbours(source, target, self.dtype, torch.device('cpu')) for source, target, _ in sides]
        spans = [
            range(int(low[own.start]), int(high[own.stop - 1]) + 1)
            for (low, high, _), (_, _, own) in zip(on_host, sides, strict=True)
        ]
        part = self.read(spans[0], spans[1])  # [r, c, C]
        for axis, (source, target, own) in enumerate(sides):  # rows first, before there are more columns
            low, high, weight = _neighbours(source, target, self.dtype, self.device)
            near, far = (
                part.index_select(axis, places[own.start : own.stop] - spans[axis].start) for places in (low, high)
            )
            share = weight[own.start : own.stop]
            part = torch.lerp(near, far, share[:, None, None] if axis == 0 else share[:, None])
        return part  # [R, C, C]

    def restore(self, meta: Mapping[str, Any]) -> LazyMaps:
        """The maps in the original image: no padding, no flip, original size.

        Args:
            meta: The sample's metainfo: ``img_shape`` (before padding, which lies right and below), ``ori_shape``;
                ``flip`` with ``flip_direction`` if the image was flipped; and where the pipeline padded it,
                ``content_shape`` (before that) and perhaps ``flip_shape`` (as it was flipped).

        Raises:
            ValueError: On an unknown direction.
        """
        height, width = content_size(meta)
        frame = meta.get('flip_shape', meta['img_shape'])[:2]  # what is right in it is left after a flip
        axes = flipped_axes(meta)

        def content(rows: range, columns: range) -> Tensor:
            window = [
                range(frame[axis] - own.stop, frame[axis] - own.start) if axis in axes else own
                for axis, own in enumerate((rows, columns))
            ]
            part = self.read(window[0], window[1])
            return part.flip(axes) if axes else part

        original = meta['ori_shape'][:2]
        return replace(self, read=content, size=(height, width)).resize((original[0], original[1]))

    def strips(self) -> Iterator[tuple[slice, Tensor]]:
        """All rows, a few at a time: which they are, and ``[rows, W, C]``."""
        height, width = self.size
        step = max(LEAST_ROWS, STRIP // (width * self.depth))
        for first in range(0, height, step):
            rows = range(first, min(first + step, height))
            yield slice(rows.start, rows.stop), self.read(rows, range(width))


def content_size(meta: Mapping[str, Any]) -> Size:
    """Height and width of what a padded input shows of the image."""
    height, width = meta.get('content_shape', meta['img_shape'])[:2]
    return height, width


def flipped_axes(meta: Mapping[str, Any]) -> tuple[int, ...]:
    """The axes along which an input was flipped: 0 for rows, 1 for columns; a ValueError on an unknown direction."""
    direction = meta.get('flip_direction') if meta.get('flip') else 'none'
    if direction not in _FLIPPED_AXES:
        raise ValueError(f'flip_direction {direction!r} is unknown; use one of {", ".join(_FLIPPED_AXES)}.')
    return _FLIPPED_AXES[direction]


def _moved(span: range, first: int) -> range:
    return range(span.start + first, span.stop + first)


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
