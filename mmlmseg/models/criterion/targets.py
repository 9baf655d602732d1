"""Targets: from the truth of samples to the padded set of binary masks that the criterion matches.

Semantic, panoptic and instance training differ here only: a segment is all of a class, or one object (paper, section
4.1), or one object with all stuff as background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from ...errors import DataError, LabelSpaceError
from ...label_space import LabelSpace
from ...segments import BACKGROUND, IGNORE_INDEX, ignore_index_of
from ..structures import Targets

Columns = Sequence[int | None]
"""The column of the class logits that each class of a space is trained to; None for a class that is not trained."""


def read_targets(
    samples: Sequence[SegDataSample],
    spaces: Sequence[LabelSpace],
    columns: Sequence[Columns],
    things_only: bool = False,
) -> Targets:
    """Reads the truth of equally padded samples: ``gt_segments`` where a sample has it, else each class of
    ``gt_sem_seg`` as one segment.

    Args:
        samples: The samples, each in one label space.
        spaces: The label space of each.
        columns: Of each sample's classes.
        things_only: Whether stuff is background: its pixels count, but lie in no mask.

    Raises:
        DataError: Where things are to be found but a sample has no ``gt_segments``.
        LabelSpaceError: Where a label is outside its sample's label space.
    """
    if things_only:
        columns = [
            [column if thing else BACKGROUND for column, thing in zip(own, space.is_thing, strict=True)]
            for own, space in zip(columns, spaces, strict=True)
        ]
    read = [_segments(*one, things_only) for one in zip(samples, spaces, columns, strict=True)]
    maps, united, trained = zip(*read, strict=True)
    segments = torch.stack(maps)  # [B, H, W]
    for sample, space, largest, ids in zip(samples, spaces, segments.amax((1, 2)).tolist(), united, strict=True):
        if largest >= len(ids):
            raise LabelSpaceError(
                f'{_source(sample)}: label {largest - 1} is outside label space {space.name!r} of {space.num_classes} '
                'classes; check the labels of the dataset against its class list, and reduce_zero_label'
            )
    if any(ids != list(range(len(ids))) for ids in united):
        # The last entry is that of BACKGROUND, which is -1.
        tables = [segments.new_tensor([*ids, BACKGROUND]) for ids in united]
        segments = torch.stack([table[own] for table, own in zip(tables, maps, strict=True)])
    width = max(map(len, trained))
    labels = segments.new_tensor([[0, *own, *[0] * (width - len(own))] for own in trained])
    return replace(segment_targets(segments, labels), sources=tuple(map(_source, samples)))


def semantic_targets(seg: Tensor, ignore_index: int = IGNORE_INDEX) -> Targets:
    """One binary mask per class present in each label map (integers [B, H, W]), in ascending order of class id.

    Pixels of ``ignore_index``, which may be any number, count in no loss and no cost.
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


def _segments(
    sample: SegDataSample, space: LabelSpace, columns: Columns, things_only: bool
) -> tuple[Tensor, list[int], list[int]]:
    """Segment ids of a sample (long [H, W], 0 is void), what each id, with 0, becomes once segments of one class are
    united, and the column that each united segment is trained to."""
    if 'gt_segments' in sample:
        truth = sample.gt_segments
        labels, crowd = truth.labels.tolist(), truth.crowd.tolist()  # on the host
        segments = truth.ids[0].long()
        trained = [None if grouped else columns[c] for c, grouped in zip(labels, crowd, strict=True)]
        separate = [space.is_thing[c] for c in labels]
    elif things_only:
        raise DataError(
            f'{_source(sample)}: has no gt_segments, which tell its things apart; load them with mmlmseg.LoadSegments '
            'and mmlmseg.PackSegments'
        )
    else:
        seg = sample.gt_sem_seg.data[0].long()
        segments = torch.where(seg != ignore_index_of(space.num_classes), seg + 1, 0)
        trained, separate = list(columns), [False] * len(columns)
    ids, classes = unite_segments(trained, separate)
    return segments, [0, *ids], classes


def _source(sample: SegDataSample) -> str:
    return str(sample.metainfo.get('img_path', 'a sample'))
