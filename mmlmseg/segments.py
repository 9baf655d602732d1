"""Segments: masks of an image with their classes, in three forms.

A sample carries its truth as ``gt_segments``, a :class:`SegmentMap`, and what a model says of it as ``pred_segments``
and ``pred_instances``: a :class:`SegmentMap` where segments do not overlap, else an :class:`EncodedMaskSet`. It is
asked in S label spaces, mostly in one; a label is an index into the classes of all its spaces, one space after the
other, so that with one space it is the class id. Letters: S label spaces, T segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .errors import DataError
from .label_space import LabelSpace
from .run_lengths import RunLengths

IGNORE_INDEX = 255
"""The class id of a pixel that nobody annotated: it counts in no loss and in no score.

Beside more than 255 classes it is :data:`WIDE_IGNORE_INDEX`, see :func:`ignore_index_of`.
"""

WIDE_IGNORE_INDEX = 65535
"""Likewise, of 16-bit label maps."""

VOID = 0
"""The segment id of a pixel that is in no segment."""

BACKGROUND = -1
"""The segment id of a pixel that is known to be in no segment: unlike void, it counts in the losses."""


def ignore_index_of(num_classes: int) -> int:
    """The class id of a pixel that nobody annotated, beside so many classes.

    Example:
        >>> ignore_index_of(255), ignore_index_of(256)
        (255, 65535)
    """
    return IGNORE_INDEX if num_classes <= IGNORE_INDEX else WIDE_IGNORE_INDEX


@dataclass(frozen=True)
class SegmentMap:
    """Segments that do not overlap within a label space: a map of segment ids for each space.

    Segments are numbered from 1 to T without a gap, those of the first space first; crops may have lost some.
    """

    # [S, H, W] int32: the segment of each pixel in each space. In none it is VOID, or BACKGROUND where it is known that
    # nothing is there, which only the targets of a training tell apart.
    ids: Tensor
    labels: Tensor  # [T] long: the class of segment 1, 2, ...
    crowd: Tensor | None = None  # [T] bool, of truth: whether a segment is a group of objects that nobody told apart
    scores: Tensor | None = None  # [T], of predictions
    # [D, H, W] int32, of truth whose objects overlap: the segment below the one in ids, the one below that, ...
    below: Tensor | None = None

    def to(self, *args: Any, **kwargs: Any) -> SegmentMap:
        """The map elsewhere. What is small follows to the host only: read there, it waits for no device."""
        ids = self.ids.to(*args, **kwargs)
        below = None if self.below is None else self.below.to(*args, **kwargs)
        return replace(self, ids=ids, below=below, **_following(self, ids))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.ids.shape[-2], self.ids.shape[-1]

    @property
    def void(self) -> Tensor:
        """``[S, H, W]`` bool: where each space has no segment."""
        return self.ids <= VOID

    def to_masks(self) -> MaskSet:
        """The same segments one by one, with what of them lies below others.

        Example:
            >>> SegmentMap(torch.tensor([[[0, 1, 2, 2]]]), torch.tensor([3, 5])).to_masks().masks.int().tolist()
            [[[0, 1, 0, 0]], [[0, 0, 1, 1]]]
        """
        count = len(self.labels)
        if self.ids.numel() and not BACKGROUND <= int(self.ids.min()) <= int(self.ids.max()) <= count:
            raise DataError(f'segment ids {int(self.ids.min())} to {int(self.ids.max())}, but {count} labels')
        numbers = torch.arange(1, count + 1, dtype=self.ids.dtype, device=self.ids.device)
        layers = self.ids if self.below is None else torch.cat([self.ids, self.below])
        if len(layers) == 1:
            masks = layers == numbers[:, None, None]  # [T, H, W]
        else:
            found = [(layers == number).any(0) for number in numbers]
            masks = torch.stack(found) if found else self.ids.new_zeros(0, *self.size, dtype=torch.bool)
        return MaskSet(masks, self.labels, crowd=self.crowd, scores=self.scores)

    def encoded(self) -> EncodedMaskSet:
        """Predicted segments of one label space as run lengths."""
        assert self.scores is not None
        return EncodedMaskSet(RunLengths.of_map(self.ids[0], len(self.labels)), self.labels.cpu(), self.scores.cpu())

    def layer(self, spaces: Sequence[LabelSpace], which: int) -> tuple[Tensor, list[int]]:
        """The segments of one of the sample's S label spaces alone.

        Returns:
            ``[H, W]`` int32, ids from 1 in the old order, 0 is void; and their classes, as ids of that space.
        """
        own = _labels_within(self.labels.tolist(), spaces, which)
        table = torch.zeros(len(self.labels) + 1, dtype=torch.int32, device=self.ids.device)
        for number, (segment, _) in enumerate(own, 1):
            table[segment + 1] = number
        return table[self.ids[which].long().clamp(min=VOID)], [label for _, label in own]


@dataclass(frozen=True)
class MaskSet:
    """Segments that may overlap: instances, and what several label spaces say of one image."""

    masks: Tensor  # [T, H, W] bool
    labels: Tensor  # [T] long: the class of each
    crowd: Tensor | None = None  # [T] bool, of truth
    scores: Tensor | None = None  # [T], of predictions
    # Of each mask all classes that say it, its own first; None where that is its label alone.
    origins: Sequence[tuple[int, ...]] | None = None

    def to(self, *args: Any, **kwargs: Any) -> MaskSet:
        """The masks elsewhere; what is small follows to the host only."""
        masks = self.masks.to(*args, **kwargs)
        return replace(self, masks=masks, **_following(self, masks))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.masks.shape[-2], self.masks.shape[-1]

    def to_masks(self) -> MaskSet:
        """The set as it is: whoever wants masks need not ask which form he has."""
        return self

    def encoded(self) -> EncodedMaskSet:
        """Predicted masks as run lengths."""
        assert self.scores is not None
        return EncodedMaskSet(
            RunLengths.of_masks(self.masks), self.labels.cpu(), self.scores.cpu(), origins=self.origins
        )

    def claims(self) -> MaskSet:
        """A mask for each class that says it: one with several origins comes several times."""
        if self.origins is None:
            return self
        rows, said = _claims(self.origins)
        crowd, scores = (None if values is None else values[rows] for values in (self.crowd, self.scores))
        return MaskSet(self.masks[rows], torch.tensor(said, dtype=torch.long, device=self.labels.device), crowd, scores)

    def layer(self, spaces: Sequence[LabelSpace], which: int) -> tuple[Tensor, list[int]]:
        """The segments of one label space as a map; where they overlap the best is on top, or else the last.

        Arguments and result as of :meth:`SegmentMap.layer`, the segments in ascending order of their scores.
        """
        said = self.claims()
        own = _best_last(_labels_within(said.labels.tolist(), spaces, which), said.scores)
        return paint(said.masks[[i for i, _ in own]]), [label for _, label in own]


@dataclass(frozen=True)
class EncodedMaskSet:
    """Predicted segments that may overlap, as run lengths: on the host, and small however large the image.

    What is called as in :class:`MaskSet` means the same.
    """

    runs: RunLengths
    labels: Tensor
    scores: Tensor
    origins: Sequence[tuple[int, ...]] | None = None

    @property
    def masks(self) -> Tensor:
        """[T, H, W] bool, made as often as somebody asks."""
        return self.runs.to_masks()

    def to(self, *_: Any, **__: Any) -> EncodedMaskSet:
        """The set as it is: run lengths stay on the host."""
        return self

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.runs.size

    def to_masks(self) -> MaskSet:
        """The masks, which take T * H * W bytes."""
        return MaskSet(self.masks, self.labels, scores=self.scores, origins=self.origins)

    def encoded(self) -> EncodedMaskSet:
        """The set as it is."""
        return self

    def take(self, which: Sequence[int]) -> EncodedMaskSet:
        """Some of the segments, by their numbers."""
        index = torch.tensor(which, dtype=torch.long)
        origins = None if self.origins is None else [self.origins[i] for i in which]
        return EncodedMaskSet(self.runs.take(which), self.labels[index], self.scores[index], origins)

    def layer(self, spaces: Sequence[LabelSpace], which: int) -> tuple[Tensor, list[int]]:
        """The segments of one label space as a map, see :meth:`MaskSet.layer`."""
        rows, said = _claims(self.origins or [(label,) for label in self.labels.tolist()])
        own = _best_last(_labels_within(said, spaces, which), self.scores[rows])
        return self.runs.take([rows[i] for i, _ in own]).painted(), [label for _, label in own]


Segments = SegmentMap | MaskSet | EncodedMaskSet


def paint(masks: Tensor) -> Tensor:
    """Masks, bool ``[T, H, W]``, as a map of segments from 1 on, int32 ``[H, W]``, where 0 is void.

    Where masks overlap the last one is on top.

    Example:
        >>> paint(torch.tensor([[[True, True, False]], [[False, True, False]]])).tolist()
        [[1, 2, 0]]
    """
    ids = torch.zeros(masks.shape[1:], dtype=torch.int32, device=masks.device)
    for number, mask in enumerate(masks, 1):
        ids[mask] = number
    return ids


def class_map(ids: np.ndarray, labels: Sequence[int], void: int = IGNORE_INDEX) -> np.ndarray:
    """The class of each pixel, int64, of a map of segments: i becomes ``labels[i - 1]``, 0 ``void``.

    Example:
        >>> class_map(np.array([0, 2, 1]), [7, 3]).tolist()
        [255, 3, 7]
    """
    return np.array([void, *labels])[ids]


def _claims(origins: Sequence[tuple[int, ...]]) -> tuple[list[int], list[int]]:
    """For each class that says a mask the number of the mask, and the class."""
    pairs = [(i, label) for i, own in enumerate(origins) for label in own]
    return [i for i, _ in pairs], [label for _, label in pairs]


def _best_last(own: list[tuple[int, int]], scores: Tensor | None) -> list[tuple[int, int]]:
    if scores is None:
        return own
    certain = scores.tolist()
    return sorted(own, key=lambda pair: certain[pair[0]])


def _following(segments: SegmentMap | MaskSet, moved: Tensor) -> dict[str, Any]:
    """Labels, crowd flags and scores where maps or masks have moved to the host."""
    small = {name: getattr(segments, name) for name in ('labels', 'crowd', 'scores')}
    return {name: v.cpu() for name, v in small.items() if v is not None and moved.device.type == 'cpu'}


def _labels_within(labels: Sequence[int], spaces: Sequence[LabelSpace], which: int) -> list[tuple[int, int]]:
    """Of labels over all spaces, the place and the class of those in one space."""
    first = sum(space.num_classes for space in spaces[:which])
    return [(i, label - first) for i, label in enumerate(labels) if 0 <= label - first < spaces[which].num_classes]
