"""From the truth of samples to what segment queries are trained to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from ...errors import DataError, LabelSpaceError
from ...label_space import LabelSpace
from ..criterion import BACKGROUND, segment_targets, unite_segments
from ..structures import Targets

Columns = Sequence[int | None]
"""The column of the class logits that each class of a space is trained to; None for a class that is not trained."""


def read_targets(
    samples: Sequence[SegDataSample],
    spaces: Sequence[LabelSpace],
    columns: Sequence[Columns],
    ignore_index: int,
    things_only: bool = False,
) -> Targets:
    """Reads the truth of equally padded samples: the segments of ``gt_panoptic_seg`` where a sample has it, else every
    class of ``gt_sem_seg`` as one segment.

    Args:
        samples: The samples.
        spaces: The label space of each.
        columns: Of each sample's classes.
        ignore_index: The label that means "not annotated".
        things_only: Whether stuff is background: its pixels count, but lie in no mask.

    Raises:
        DataError: Where things are to be found but a sample has no ``gt_panoptic_seg``.
        LabelSpaceError: Where a label is outside its sample's label space.
    """
    if things_only:
        columns = [
            [column if thing else BACKGROUND for column, thing in zip(own, space.is_thing, strict=True)]
            for own, space in zip(columns, spaces, strict=True)
        ]
    read = [_segments(*one, ignore_index, things_only) for one in zip(samples, spaces, columns, strict=True)]
    maps, united, trained = zip(*read, strict=True)
    segments = torch.stack(maps)  # [B, H, W]
    for sample, space, largest, ids in zip(samples, spaces, segments.amax((1, 2)).tolist(), united, strict=True):
        if largest >= len(ids):
            raise LabelSpaceError(
                f'{_source(sample)}: label {largest - 1} is outside label space {space.name!r} of {space.num_classes} '
                'classes; check the labels of the dataset against its class list, and reduce_zero_label'
            )
    if any(ids != list(range(len(ids))) for ids in united):
        segments = torch.stack([segments.new_tensor(ids)[own] for ids, own in zip(united, maps, strict=True)])
    width = max(map(len, trained))
    labels = segments.new_tensor([[0, *own, *[0] * (width - len(own))] for own in trained])
    return segment_targets(segments, labels)


def _segments(
    sample: SegDataSample, space: LabelSpace, columns: Columns, ignore_index: int, things_only: bool
) -> tuple[Tensor, list[int], list[int]]:
    """Segment ids of a sample (long [H, W], 0 is void), what each id, with 0, becomes once segments of one class are
    united, and the column that each united segment is trained to."""
    if 'gt_panoptic_seg' in sample:
        truth = sample.gt_panoptic_seg
        segments = truth.data[0].long()
        trained = [None if crowd else columns[c] for c, crowd in zip(truth.labels, truth.crowd, strict=True)]
        separate = [space.is_thing[c] for c in truth.labels]
    elif things_only:
        raise DataError(
            f'{_source(sample)}: has no gt_panoptic_seg, which tells its things apart; load it with '
            'mmlmseg.LoadPanopticAnnotations and mmlmseg.PackPanopticInputs'
        )
    else:
        seg = sample.gt_sem_seg.data[0].long()
        segments = torch.where(seg != ignore_index, seg + 1, 0)
        trained, separate = list(columns), [False] * len(columns)
    ids, classes = unite_segments(trained, separate)
    return segments, [0, *ids], classes


def _source(sample: SegDataSample) -> str:
    return str(sample.metainfo.get('img_path', 'a sample'))
