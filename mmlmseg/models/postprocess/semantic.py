"""Semantic results from query predictions."""

from __future__ import annotations

import torch
from torch import Tensor

from ..classifiers import mask_classes
from ..precision import at_least_float32, no_autocast
from .geometry import resize


@torch.no_grad()
def semantic_probabilities(class_logits: Tensor, valid: Tensor, mask_logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Marginalise over the queries: each pixel's score of a class is the sum of mask times class probability.

    Works sample by sample: beside the result, only the resized masks of one sample exist, [N, H, W].

    Args:
        class_logits: Class logits of the final layer [B, N, K + 1], no-object last.
        valid: Columns of each sample's label space, bool [B, K + 1].
        mask_logits: Mask logits of the final layer [B, N, h, w].
        size: Height and width of the result, usually those of the padded input.

    Returns:
        Scores [B, K, H, W] in float32 (float64 for float64 input); 0 for classes outside a sample's label space.
    """
    with no_autocast(class_logits):
        probability = mask_classes(at_least_float32(class_logits), valid).softmax(-1)[..., :-1]  # [B, N, K]
        scores = probability.new_empty(len(probability), probability.shape[-1], *size)
        for classes, logits, score in zip(probability, mask_logits, scores, strict=True):
            masks = resize(at_least_float32(logits).to(probability.dtype), size).sigmoid_()  # [N, H, W]
            torch.mm(classes.T, masks.flatten(1), out=score.flatten(1))
        return scores
