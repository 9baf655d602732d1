"""Instances from query predictions: scored masks of things, which may overlap (Mask2Former)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..numerics import at_least_float32, no_autocast
from .geometry import resize, restore


class Instances(NamedTuple):
    """The instances of one image, the best first.

    Attributes:
        masks: ``[n, H, W]`` bool.
        labels: ``[n]`` long: their classes.
        scores: ``[n]``: class probability times mean mask probability within the mask.
    """

    masks: Tensor
    labels: Tensor
    scores: Tensor


@torch.no_grad()
def instances(
    classes: Tensor,
    mask_logits: Tensor,
    is_thing: Tensor,
    size: tuple[int, int],
    meta: Mapping[str, Any],
    most: int = 100,
) -> Instances:
    """Takes the most probable pairs of a query and a thing class; a query may stand for several classes.

    Args:
        classes: Class probabilities of the final layer [N, K + 1], no-object last, not below float32.
        mask_logits: Mask logits of the final layer [N, h, w].
        is_thing: Whether a class is countable, bool [K].
        size: Height and width of the padded input.
        meta: The sample's metainfo, see :func:`restore`.
        most: At most this many instances; COCO counts 100.

    Returns:
        Instances at the original size; those without a pixel are left out.
    """
    with no_autocast(classes):
        scores = classes[:, :-1] * is_thing  # [N, K]
        best, pairs = scores.flatten().topk(min(most, scores.numel()))
        best, pairs = best[best > 0], pairs[best > 0]  # [n]
        labels = pairs % scores.shape[1]
        queries, place = (pairs // scores.shape[1]).unique(return_inverse=True)  # each mask is resized once
        if not len(queries):
            return Instances(
                torch.zeros(0, *meta['ori_shape'][:2], dtype=torch.bool, device=labels.device), labels, best
            )
        masks = restore(resize(at_least_float32(mask_logits[queries]).to(scores.dtype), size), meta)  # [q, H0, W0]
        inside = masks > 0
        area = inside.flatten(1).sum(1)
        certain = (masks.sigmoid_() * inside).flatten(1).sum(1) / area.clamp(min=1)
        best = best * certain[place]
        order = best.argsort(descending=True, stable=True)
        order = order[area[place][order] > 0]
        return Instances(inside[place[order]], labels[order], best[order])
