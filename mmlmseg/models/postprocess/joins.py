"""Pieces of objects that tiles of an image saw, and which of them are one object."""

from __future__ import annotations

from collections.abc import Sequence

from ...run_lengths import Edges, intersection, shared_areas

JOIN_IOU = 0.5
"""Of what two tiles see of an object where they overlap: from which on it is one."""


class Joins:
    """Pieces, numbered from 0 on as they are added; each has a class and a mask in the original image."""

    def __init__(self) -> None:
        self.labels: list[int] = []
        self.masks: list[Edges] = []
        self._parents: list[int] = []

    def add(self, labels: Sequence[int], masks: Sequence[Edges]) -> range:
        """Takes pieces in; returns their numbers."""
        numbers = range(len(self.labels), len(self.labels) + len(labels))
        self.labels += labels
        self.masks += masks
        self._parents += numbers
        return numbers

    def root(self, number: int) -> int:
        """The first of the pieces that are one with this one."""
        while self._parents[number] != number:
            self._parents[number] = number = self._parents[self._parents[number]]
        return number

    def roots(self) -> list[int]:
        """Of each piece, see :meth:`root`."""
        return [self.root(number) for number in range(len(self.labels))]

    def link(self, some: Sequence[int], others: Sequence[int], overlap: Edges) -> None:
        """Joins pieces of two tiles that are of one class and, where the tiles overlap, of one shape.

        Each is joined with one of the other tile at most, the best fitting first.

        Args:
            some: Pieces of one tile.
            others: Of the other one.
            overlap: The window that both see.
        """
        # Cut to the overlap, masks have few runs: the comparison of 100 with 100 takes a fraction of the time.
        parts, others_parts = self._cut(some, overlap), self._cut(others, overlap)
        pairs = []
        for other, (mask, size) in others_parts.items():
            near = [n for n in parts if self.labels[n] == self.labels[other]]
            shared = shared_areas([parts[n][0] for n in near], mask).tolist()
            for number, both in zip(near, shared, strict=True):
                iou = both / (parts[number][1] + size - both)
                if iou >= JOIN_IOU:
                    pairs.append((-iou, number, other))
        taken: set[int] = set()
        for _, number, other in sorted(pairs):
            if not {number, other} & taken:
                taken |= {number, other}
                first, second = sorted((self.root(number), self.root(other)))
                self._parents[second] = first

    def _cut(self, numbers: Sequence[int], overlap: Edges) -> dict[int, tuple[Edges, int]]:
        """The masks of pieces within a window, and their pixels there; without pieces that have none."""
        sizes = shared_areas([self.masks[n] for n in numbers], overlap).tolist()
        return {n: (intersection(self.masks[n], overlap), size) for n, size in zip(numbers, sizes, strict=True) if size}
