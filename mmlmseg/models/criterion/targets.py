"""From label maps to the padded set of binary masks that the criterion matches."""

from __future__ import annotations

import torch
from torch import Tensor

from ..structures import Targets


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
    counted = seg != ignore_index  # [B, H, W]
    # Ignored pixels vote for an extra last column, so that the presence table needs no assumption about ignore_index.
    columns = int(torch.where(counted, seg, -1).max()) + 1 if seg.numel() else 0
    votes = torch.where(counted, seg, columns).flatten(1)  # [B, H * W]
    present = torch.zeros(len(seg), columns + 1, dtype=torch.bool, device=seg.device).scatter_(1, votes, True)
    present = present[:, :columns]

    counts = present.sum(1)  # [B]
    slots = int(counts.max()) if len(seg) else 0  # T
    valid = torch.arange(slots, device=seg.device) < counts[:, None]  # [B, T]
    labels = present.int().argsort(dim=1, descending=True, stable=True)[:, :slots] * valid  # [B, T]
    masks = seg[:, None] == labels[:, :, None, None]  # [B, T, H, W]
    masks &= valid[:, :, None, None]
    return Targets(labels=labels, masks=masks, valid=valid, pixels=counted)
