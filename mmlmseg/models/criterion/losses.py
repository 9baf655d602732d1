"""The losses of a set of matched masks and of the query classes, un-normalised (paper section 3.6)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..precision import at_least_float32

FOCAL_ALPHA = 0.25
FOCAL_GAMMA = 2.0
DICE_SMOOTHING = 1.0


def focal_terms(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The focal loss of every pixel, once as if it belonged to the mask and once as if it did not.

    Args:
        logits: Mask logits of any shape.

    Returns:
        Three tensors of the shape of ``logits``: the loss of a mask pixel, the loss of a background pixel, and the
        mask probability.
    """
    probability = logits.sigmoid()
    background = F.softplus(logits)  # -log(1 - p); -log(p) is the same minus the logit
    inside = FOCAL_ALPHA * (1 - probability) ** FOCAL_GAMMA * F.softplus(-logits)
    outside = (1 - FOCAL_ALPHA) * probability**FOCAL_GAMMA * background
    return inside, outside, probability


def mask_losses(logits: Tensor, masks: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Focal and dice loss of each matched mask at the resolution of its target.

    Args:
        logits: Mask logits [M, h, w]; resized bilinearly to [M, H, W].
        masks: Target masks, bool [M, H, W].
        pixels: Pixels that count, bool [M, H, W].

    Returns:
        The focal loss [M], a mean over the counted pixels of each mask, and the dice loss [M].
    """
    size = masks.shape[-2:]
    logits = at_least_float32(logits)
    if logits.shape[-2:] != size:
        logits = F.interpolate(logits[:, None], size=size, mode='bilinear', align_corners=False)[:, 0]  # [M, H, W]
    inside, outside, probability = focal_terms(logits)
    target = (masks & pixels).to(logits.dtype)
    counted = pixels.to(logits.dtype)
    area = counted.sum((1, 2))
    focal = (inside * target + outside * (counted - target)).sum((1, 2)) / area.clamp(min=1)
    overlap = (probability * target).sum((1, 2))
    total = (probability * counted).sum((1, 2)) + target.sum((1, 2))
    dice = 1 - (2 * overlap + DICE_SMOOTHING) / (total + DICE_SMOOTHING)
    return focal, dice


def class_losses(logits: Tensor, classes: Tensor, no_object_weight: float) -> Tensor:
    """Weighted cross entropy of the queries of each layer, summed over samples and queries.

    Args:
        logits: Class logits [L, B, N, K + 1], no-object last, -inf in columns outside the sample's label space.
        classes: Target columns, long [L, B, N]; K is no-object.
        no_object_weight: Weight of queries whose target is no-object; all others weigh 1.

    Returns:
        Un-normalised losses [L].
    """
    no_object = logits.shape[-1] - 1
    log_probability = logits.log_softmax(-1).gather(-1, classes[..., None])[..., 0]  # [L, B, N]
    weight = torch.where(classes == no_object, no_object_weight, 1.0).to(logits.dtype)
    return -(weight * log_probability).sum((1, 2))
