"""Instances from query predictions: scored masks of things, which may overlap (Mask2Former)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...segments import MaskSet
from ..numerics import at_least_float32, no_autocast
from ..structures import Prediction
from .geometry import resize, restore


@torch.no_grad()
def instances(own: Prediction, size: tuple[int, int], meta: Mapping[str, Any], most: int = 100) -> MaskSet:
    """Takes the most probable pairs of a query and a thing class; a query may stand for several classes.

    Args:
        own: What the model says of one sample.
        size: Height and width of the padded input.
        meta: The sample's metainfo, see :func:`restore`.
        most: At most this many instances; COCO counts 100.

    Returns:
        Instances at the original size, the best first; those without a pixel are left out. Their scores are class
        probability times mean mask probability within the mask.
    """
    with no_autocast(own.classes):
        scores = own.classes[:, :-1] * own.is_thing  # [N, K]
        best, pairs = scores.flatten().topk(min(most, scores.numel()))
        best, pairs = best[best > 0], pairs[best > 0]  # [n]
        labels = pairs % scores.shape[1]
        queries, place = (pairs // scores.shape[1]).unique(return_inverse=True)  # each mask is resized once
        if not len(queries):
            return MaskSet(labels.new_zeros(0, *meta['ori_shape'][:2], dtype=torch.bool), labels, scores=best)
        logits = at_least_float32(own.mask_logits[queries]).to(scores.dtype)
        masks = restore(resize(logits, size), meta)  # [q, H0, W0]
        inside = masks > 0
        area = inside.flatten(1).sum(1)
        certain = (masks.sigmoid_() * inside).flatten(1).sum(1) / area.clamp(min=1)
        best = best * certain[place]
        order = best.argsort(descending=True, stable=True)
        order = order[area[place][order] > 0]
        return MaskSet(inside[place[order]], labels[order], scores=best[order])
