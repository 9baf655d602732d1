"""Instances from query predictions: scored masks of things, which may overlap (Mask2Former)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...segments import MaskSet
from ..structures import Prediction
from .row_maps import RowMaps, Size


@torch.no_grad()
def instances(own: Prediction, size: Size, meta: Mapping[str, Any], most: int = 100) -> MaskSet:
    """Takes the most probable pairs of a query and a thing class; a query may stand for several classes.

    Args:
        own: What the model says of one sample.
        size: Height and width of the padded input.
        meta: The sample's metainfo, see :meth:`RowMaps.restore`.
        most: At most this many instances; COCO counts 100.

    Returns:
        Instances at the original size, the best first; those without a pixel are left out. Their scores are class
        probability times mean mask probability within the mask.
    """
    scores = own.classes[:, :-1] * own.is_thing  # [N, K]
    best, pairs = scores.flatten().topk(min(most, scores.numel()))
    best, pairs = best[best > 0], pairs[best > 0]  # [n]
    labels = pairs % scores.shape[1]
    queries, place = (pairs // scores.shape[1]).unique(return_inverse=True)  # each mask is resized once: [q], [n]
    masks = RowMaps.of(own.mask_logits[queries], scores.dtype).resize(size).restore(meta)
    inside = torch.empty(len(queries), *masks.size, dtype=torch.bool, device=labels.device)  # [q, H0, W0]
    area, certain = labels.new_zeros(len(queries)), scores.new_zeros(len(queries))
    for rows, logits in masks.strips() if len(queries) else ():
        own_rows = logits > 0  # [R, W0, q]
        inside[:, rows] = own_rows.movedim(-1, 0)
        area += own_rows.sum((0, 1))
        certain += (logits.sigmoid_() * own_rows).sum((0, 1))
    best = best * (certain / area.clamp(min=1))[place]
    order = best.argsort(descending=True, stable=True)
    order = order[area[place][order] > 0]
    return MaskSet(inside[place[order]], labels[order], scores=best[order])
