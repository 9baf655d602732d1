"""From maps of segments to the padded set of binary masks that the criterion matches.

Semantic and panoptic training differ here only: a segment is all of a class, or one object (paper, section 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..structures import Targets

BACKGROUND = -1  # the label, and the segment id, of pixels that count but are in no target


def semantic_targets(seg: Tensor, ignore_index: int = 255) -> Targets:
    """One binary mask per class present in each label map, in ascending order of class id.

    Args:
        seg: Label maps of one size group, integers [B, H, W].
        ignore_index: The label of pixels that count in no loss and no cost; may lie outside the class range or be
            negative.

    Returns:
        Targets padded to the largest number of present classes in the group, which is 0 if all pixels are ignored.
    """
    seg = seg.long()
    segments = torch.where(seg != ignore_index, seg + 1, 0)
    classes = int(segments.max()) if seg.numel() else 0
    labels = torch.arange(-1, classes, device=seg.device).expand(len(seg), -1)  # [B, K + 1]
    return segment_targets(segments, labels)


def segment_targets(segments: Tensor, labels: Tensor) -> Targets:
    """One binary mask per segment present in each map, in ascending order of segment id.

    Args:
        segments: Segment ids of one size group, long [B, H, W]; 0 where a pixel counts in no loss and no cost,
            :data:`BACKGROUND` where it counts as being in no segment.
        labels: The class of each segment id, long [B, S + 1]; the entry of id 0 is not read.

    Returns:
        Targets padded to the largest number of present segments in the group.
    """
    batch, ids = labels.shape
    present = torch.zeros(batch, ids, dtype=torch.bool, device=segments.device)
    present = present.scatter_(1, segments.flatten(1).clamp(min=0), True)[:, 1:]  # [B, S]
    counts = present.sum(1)  # [B]
    slots = int(counts.max()) if batch else 0  # T
    valid = torch.arange(slots, device=segments.device) < counts[:, None]  # [B, T]
    chosen = 1 + present.int().argsort(dim=1, descending=True, stable=True)[:, :slots]  # [B, T]
    masks = segments[:, None] == chosen[:, :, None, None]  # [B, T, H, W]
    masks &= valid[:, :, None, None]
    return Targets(labels=labels.gather(1, chosen) * valid, masks=masks, valid=valid, pixels=segments != 0)


def unite_segments(labels: Sequence[int | None], separate: Sequence[bool]) -> tuple[list[int], list[int]]:
    """Renumbers segments such that those of one class are one, unless they are told apart.

    Args:
        labels: The class of each segment; None where a segment shall not count, :data:`BACKGROUND` where it shall be
            background.
        separate: Whether a segment stays on its own: an object of a thing class.

    Returns:
        The new id of each segment, from 1 (0 where it shall not count, or :data:`BACKGROUND`), and the class of each
        new segment.

    Example:
        >>> unite_segments([4, None, 2, 4, 2], [True, False, False, True, False])
        ([1, 0, 2, 3, 2], [4, 2, 4])
    """
    ids: list[int] = []
    classes: list[int] = []
    united: dict[int, int] = {}
    for label, alone in zip(labels, separate, strict=True):
        if label is None or label == BACKGROUND:
            ids.append(label or 0)
        elif not alone and label in united:
            ids.append(united[label])
        else:
            classes.append(label)
            ids.append(len(classes))
            if not alone:
                united[label] = len(classes)
    return ids, classes
