"""Semantic results from query predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..classifiers import mask_classes
from ..precision import at_least_float32, no_autocast

_FLIPPED_AXES = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-2, -1)}


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
    height, width = size
    with no_autocast(class_logits):
        probability = mask_classes(at_least_float32(class_logits), valid).softmax(-1)[..., :-1]  # [B, N, K]
        scores = probability.new_empty(len(probability), probability.shape[-1], height, width)
        for classes, logits, score in zip(probability, mask_logits, scores, strict=True):
            logits = at_least_float32(logits).to(probability.dtype)[None]  # [1, N, h, w]
            masks = F.interpolate(logits, size=(height, width), mode='bilinear', align_corners=False)[0].sigmoid_()
            torch.mm(classes.T, masks.flatten(1), out=score.flatten(1))
        return scores


def restore(prob: Tensor, meta: Mapping[str, Any]) -> Tensor:
    """Bring the scores of one sample back to its original image: no padding, no flip, original size.

    One sample at a time, because original sizes differ and [K, H0, W0] in float32 can be large.

    Args:
        prob: Scores at the padded input size [K, H, W]; padding lies right and below.
        meta: The sample's metainfo: ``img_shape`` (before padding), ``ori_shape``, and ``flip`` with
            ``flip_direction`` if the image was flipped.

    Returns:
        Scores [K, H0, W0].

    Raises:
        ValueError: The flip direction is not known.
    """
    height, width = meta['img_shape'][:2]
    prob = prob[:, :height, :width]
    if meta.get('flip'):
        direction = meta.get('flip_direction')
        if direction not in _FLIPPED_AXES:
            raise ValueError(f'flip_direction {direction!r} is unknown; use one of {", ".join(_FLIPPED_AXES)}.')
        prob = prob.flip(_FLIPPED_AXES[direction])
    size = tuple(meta['ori_shape'][:2])
    if prob.shape[-2:] != size:
        prob = F.interpolate(prob[None], size=size, mode='bilinear', align_corners=False)[0]
    return prob
