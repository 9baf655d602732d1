"""Semantic results from query predictions."""

from __future__ import annotations

import torch
from torch import Tensor

from ..numerics import at_least_float32, no_autocast
from .geometry import resize


@torch.no_grad()
def semantic_probabilities(classes: Tensor, mask_logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Marginalise over the queries: each pixel's score of a class is the sum of mask times class probability.

    Works sample by sample: beside the result, only the resized masks of one sample exist, [N, H, W].

    Args:
        classes: Class probabilities of the final layer [B, N, K + 1], no-object last, not below float32.
        mask_logits: Mask logits of the final layer [B, N, h, w].
        size: Height and width of the result, usually those of the padded input.

    Returns:
        Scores [B, K, H, W] in the precision of the probabilities; 0 for classes outside a sample's label space.
    """
    with no_autocast(classes):
        objects = classes[..., :-1]  # [B, N, K]
        scores = objects.new_empty(len(objects), objects.shape[-1], *size)
        for own, logits, score in zip(objects, mask_logits, scores, strict=True):
            masks = resize(at_least_float32(logits).to(own.dtype), size).sigmoid_()  # [N, H, W]
            torch.mm(own.T, masks.flatten(1), out=score.flatten(1))
        return scores
