"""Instances from query predictions: scored masks of things, which may overlap (Mask2Former)."""

from __future__ import annotations

import torch

from ...run_lengths import Encoder
from ...segments import EncodedMaskSet
from ..structures import Prediction
from .view import View


@torch.no_grad()
def instances(own: Prediction, view: View, most: int) -> EncodedMaskSet:
    """Takes the most probable pairs of a query and a thing class; a query may stand for several classes.

    Args:
        own: What the model says of one sample.
        view: What it was shown.
        most: At most this many instances.

    Returns:
        Instances in the window of the original image, the best first; those without a pixel are left out. Their scores
        are class probability times mean mask probability within the mask.
    """
    scores = own.classes[:, :-1] * own.is_thing  # [N, K]
    best, pairs = scores.flatten().topk(min(most, scores.numel()))
    best, pairs = best[best > 0], pairs[best > 0]  # [n]
    labels = pairs % scores.shape[1]
    queries, place = (pairs // scores.shape[1]).unique(return_inverse=True)  # each mask is resized once: [q], [n]
    masks = view.maps(own.mask_logits[queries], scores.dtype)
    encoder = Encoder(masks.size, len(queries))
    area, certain = labels.new_zeros(len(queries)), scores.new_zeros(len(queries))
    for rows, logits in masks.strips() if len(queries) else ():
        inside = logits > 0  # [R, W0, q]
        encoder.add(rows.start, inside)
        area += inside.sum((0, 1))
        certain += (logits.sigmoid_() * inside).sum((0, 1))
    best = best * (certain / area.clamp(min=1))[place]
    order = best.argsort(descending=True, stable=True)
    order = order[area[place][order] > 0]
    return EncodedMaskSet(encoder.finish().take(place[order].tolist()), labels[order].cpu(), best[order].cpu())
