"""Masks as run lengths: an object costs what its outline costs, however large the image.

A mask is its *edges*: ascending pixel numbers, row after row, where in turn a run of its pixels begins and where it has
ended. COCO counts down the columns; :meth:`RunLengths.to_coco` turns them. 100 masks of objects at 480x640 take 8.7 ms
to encode on one core and 0.6 MB, as bool tensors 31 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch import Tensor

Edges = NDArray[np.int64]


@dataclass(frozen=True)
class RunLengths:
    """Masks of one size that may overlap."""

    size: tuple[int, int]  # (H, W)
    edges: tuple[Edges, ...]  # of each mask

    def __len__(self) -> int:
        return len(self.edges)

    @classmethod
    def of_masks(cls, masks: Tensor) -> RunLengths:
        """Encodes masks, bool ``[n, H, W]``.

        Example:
            >>> RunLengths.of_masks(torch.tensor([[[False, True], [True, False]]])).edges[0].tolist()
            [1, 3]
        """
        encoder = Encoder((masks.shape[1], masks.shape[2]), len(masks))
        encoder.add(0, masks.movedim(0, -1))
        return encoder.finish()

    @classmethod
    def of_map(cls, ids: Tensor, number: int) -> RunLengths:
        """Encodes the segments 1 to ``number`` of a map of ids, integers ``[H, W]``; others are no segment."""
        flat = ids.flatten().cpu().numpy()
        begins = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [len(flat)]])
        owner = flat[begins[:-1]]
        order = np.argsort(owner, kind='stable')
        pairs = np.stack([begins[:-1], begins[1:]], 1)[order]  # [runs, 2]
        first = np.searchsorted(owner[order], np.arange(1, number + 2))
        return cls((ids.shape[0], ids.shape[1]), tuple(pairs[a:b].ravel() for a, b in pairwise(first.tolist())))

    def take(self, which: Sequence[int]) -> RunLengths:
        """Some of the masks, by their numbers."""
        return replace(self, edges=tuple(self.edges[i] for i in which))

    def areas(self) -> NDArray[np.int64]:
        """Their pixels, ``[n]``."""
        return np.array([area(own) for own in self.edges], dtype=np.int64)

    def placed(self, size: tuple[int, int], top: int, left: int) -> RunLengths:
        """The masks as those of a window, from (``top``, ``left``) on, of a larger image."""
        width = self.size[1]

        def moved(own: Edges) -> Edges:
            begin, end = own[::2], own[1::2]
            rows = (end - 1) // width - begin // width + 1  # that each run touches
            run = np.repeat(np.arange(len(rows)), rows)
            row = (begin // width)[run] + np.arange(len(run)) - np.repeat(np.cumsum(rows) - rows, rows)
            parts = np.stack([np.maximum(begin[run], row * width), np.minimum(end[run], (row + 1) * width)], 1)
            return _without_touching((parts + ((row + top) * size[1] + left - row * width)[:, None]).ravel())

        return RunLengths(size, tuple(map(moved, self.edges)))

    def to_masks(self) -> Tensor:
        """The masks, bool ``[n, H, W]`` on the host."""
        masks = torch.zeros(len(self), self.size[0] * self.size[1], dtype=torch.bool)
        flat = masks.numpy()
        for row, own in zip(flat, self.edges, strict=True):
            row[pixels(own)] = True
        return masks.unflatten(1, self.size)

    def one_by_one(self) -> Iterator[NDArray[np.bool_]]:
        """The masks ``[H, W]`` in turn, of which only the last one is kept."""
        for i in range(len(self)):
            yield self.take([i]).to_masks()[0].numpy()

    def painted(self) -> Tensor:
        """The masks as a map of segments from 1 on, int32 ``[H, W]``, 0 in none; where they overlap the last is on top.

        Example:
            >>> RunLengths((1, 3), (np.array([0, 2]), np.array([1, 2]))).painted().tolist()
            [[1, 2, 0]]
        """
        ids = torch.zeros(self.size[0] * self.size[1], dtype=torch.int32)
        for number, own in enumerate(self.edges, 1):
            ids.numpy()[pixels(own)] = number
        return ids.view(self.size)

    def to_coco(self) -> list[dict[str, Any]]:
        """The masks as COCO writes them: ``size`` and ``counts``, compressed."""
        encoded = (coco_mask.encode(np.asfortranarray(mask.view(np.uint8))) for mask in self.one_by_one())
        return [dict(size=list(self.size), counts=runs['counts'].decode()) for runs in encoded]


@dataclass
class Encoder:
    """Encodes ``number`` masks of one size as their rows come, a few at a time."""

    size: tuple[int, int]
    number: int
    _masks: list[NDArray[Any]] = field(default_factory=list)
    _places: list[NDArray[Any]] = field(default_factory=list)

    def add(self, first: int, rows: Tensor) -> None:
        """The next rows of all masks: bool ``[R, W, n]``, the first of which is row ``first`` of the image."""
        if not self.number or not rows.numel():
            return
        flat = rows.reshape(-1, self.number)
        start = first * self.size[1]
        changes = _nonzero(flat[1:] ^ flat[:-1])
        for number, place in (
            (_nonzero(flat[0]), 0),
            (changes % self.number, changes // self.number + 1),
            (_nonzero(flat[-1]), len(flat)),
        ):
            self._masks.append(number)
            self._places.append(np.broadcast_to(place, number.shape) + start)

    def finish(self) -> RunLengths:
        """What was added."""
        masks = np.concatenate([np.zeros(0, np.int64), *self._masks])
        order = np.argsort(masks, kind='stable')
        places = np.concatenate([np.zeros(0, np.int64), *self._places])[order]
        bounds = np.searchsorted(masks[order], np.arange(self.number + 1))
        own = (places[a:b] for a, b in pairwise(bounds.tolist()))
        return RunLengths(self.size, tuple(map(_without_touching, own)))


def area(own: Edges) -> int:
    """The pixels of a mask."""
    return int(own[1::2].sum() - own[::2].sum())


def pixels(own: Edges) -> NDArray[np.int64]:
    """The numbers of the pixels of a mask."""
    begin, length = own[::2], own[1::2] - own[::2]
    return np.repeat(begin - (np.cumsum(length) - length), length) + np.arange(length.sum())


def shared_areas(some: Sequence[Edges], other: Edges) -> NDArray[np.int64]:
    """The pixels that each of some masks shares with another one."""
    if not len(other):
        return np.zeros(len(some), np.int64)
    inside = np.diff(other) * (np.arange(len(other) - 1) % 2 == 0)
    before = np.concatenate([[0], np.cumsum(inside)])  # of the other's pixels, those before each of its edges

    def count(places: Edges) -> NDArray[np.int64]:  # of the other's pixels before a place
        edge = np.searchsorted(other, places, side='right') - 1
        return np.where(edge >= 0, before[edge] + (edge % 2 == 0) * (places - other[edge]), 0)

    everything = count(np.concatenate([np.zeros(0, np.int64), *some]))
    bounds = np.cumsum([0, *map(len, some)])
    return np.array([area(everything[a:b]) for a, b in pairwise(bounds.tolist())], dtype=np.int64)


def union(parts: Sequence[Edges]) -> Edges:
    """The pixels that are in any of some masks."""
    begin, end = (np.sort(np.concatenate([np.zeros(0, np.int64), *(own[k::2] for own in parts)])) for k in (0, 1))
    # Between edges lie pixels of as many masks as have begun and not ended: a run begins with the first.
    alone = np.searchsorted(end, begin, side='right') == np.arange(len(begin))
    starts = begin[alone]
    last = np.append(np.flatnonzero(alone)[1:] - 1, len(begin) - 1)[: len(starts)]
    return _without_touching(np.stack([starts, end[last]], 1).ravel())


def difference(own: Edges, other: Edges) -> Edges:
    """The pixels of a mask that are not in another one."""
    return _combined(own, other, within=False)


def intersection(own: Edges, other: Edges) -> Edges:
    """The pixels of a mask that are in another one too."""
    return _combined(own, other, within=True)


def window(size: tuple[int, int], rows: range, columns: range) -> Edges:
    """The mask of a window of an image."""
    begin = np.arange(rows.start, rows.stop, dtype=np.int64) * size[1] + columns.start
    return _without_touching(np.stack([begin, begin + len(columns)], 1).ravel())


def _combined(own: Edges, other: Edges, within: bool) -> Edges:
    """The pixels of a mask that are in another one, or are not."""
    places = np.unique(np.concatenate([own, other]))
    inside = (np.searchsorted(own, places, 'right') % 2 == 1) & (
        (np.searchsorted(other, places, 'right') % 2 == 1) == within
    )
    return places[np.flatnonzero(inside != np.concatenate([[False], inside[:-1]]))]


def _without_touching(own: Edges) -> Edges:
    """Runs that begin where another ends are one."""
    if len(own) < 4:
        return own
    touching = np.flatnonzero(own[1:] == own[:-1])
    return np.delete(own, np.concatenate([touching, touching + 1]))


def _nonzero(values: Tensor) -> NDArray[np.int64]:
    """Where a flattened bool tensor holds true; NumPy finds it eight times as fast as torch does on a processor."""
    if values.device.type == 'cpu':
        return np.flatnonzero(values.numpy())
    return values.flatten().nonzero()[:, 0].cpu().numpy()
