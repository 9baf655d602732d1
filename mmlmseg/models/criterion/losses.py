"""The losses of the query classes and of the matched masks, un-normalised (paper section 3.6)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..numerics import ClassActivation
from .resize import BilinearResize

FOCAL_ALPHA = 0.25
DICE_SMOOTHING = 1.0

# Pixels worked on at a time. On a CPU a chunk should stay in the cache; elsewhere it only bounds the memory.
CHUNK_CPU, CHUNK_DEVICE = 2**18, 2**25


def chunk_length(count: int, size: int, device: torch.device) -> int:
    """How many of ``count`` items of ``size`` pixels or points each are worked on at a time; at least 1."""
    budget = CHUNK_CPU if device.type == 'cpu' else CHUNK_DEVICE
    return max(1, min(count, budget // size))


def class_losses(
    logits: Tensor,
    classes: Tensor,
    no_object_weight: float,
    activation: ClassActivation = 'softmax',
    weights: Tensor | None = None,
) -> Tensor:
    """Weighted cross entropy of the queries of each layer, summed over samples and queries.

    With ``sigmoid`` it is the sum of the binary cross entropies of a query's classes. Both are minus the log likelihood
    of what the query is, so weights and normalisers are the same.

    Args:
        logits: Class logits [L, B, N, K + 1], no-object last, -inf in columns outside the sample's label space.
        classes: Target columns, long [L, B, N]; K is no-object.
        no_object_weight: Weight of queries whose target is no-object.
        activation: What the logits mean, see :func:`class_probabilities`.
        weights: Of all other queries [L, B, N]; 1 by default.

    Returns:
        Un-normalised losses [L].
    """
    nothing = classes == logits.shape[-1] - 1  # [L, B, N]
    if activation == 'softmax':
        log_likelihood = logits.log_softmax(-1).gather(-1, classes[..., None])[..., 0]  # [L, B, N]
    else:  # log p = z + log(1 - p)
        own = logits.gather(-1, classes[..., None])[..., 0].masked_fill(nothing, 0.0)
        log_likelihood = own + F.logsigmoid(-logits[..., :-1]).sum(-1)
    weights = torch.ones_like(log_likelihood) if weights is None else weights
    weight = weights.masked_fill(nothing, no_object_weight)
    return -(weight * log_likelihood).sum((1, 2))


def without_unmarked(logits: Tensor, classes: Tensor, unmarked: Tensor) -> Tensor:
    """Takes classes whose objects are not all marked out of what a query without a target is told apart from.

    Such a query may have found one of them. Queries with a target are that one, so they keep all columns.

    Args:
        logits: Class logits [L, B, N, K + 1], no-object last.
        classes: Target columns, long [L, B, N]; K is no-object.
        unmarked: The classes, bool [B, W] of the first W columns.

    Returns:
        The logits, minus infinity where a class is taken out.
    """
    columns = F.pad(unmarked, (0, logits.shape[-1] - unmarked.shape[1]))  # [B, K + 1]
    nothing = classes == logits.shape[-1] - 1  # [L, B, N]
    return logits.masked_fill(nothing[..., None] & columns[:, None], -torch.inf)


def signed_targets(masks: Tensor, pixels: Tensor) -> Tensor:
    """One byte per pixel that says what a mask loss wants there.

    Args:
        masks: Target masks, bool [B, T, H, W].
        pixels: Pixels that count, bool [B, H, W].

    Returns:
        int8 [B, T, H, W]: -1 in the mask, 1 in counted background, 0 where the pixel does not count.
    """
    signs = pixels[:, None].to(torch.int8) - 2 * masks.to(torch.int8)
    return signs.mul_(pixels[:, None])


def mask_losses(logits: Tensor, signs: Tensor, sample: Tensor, slot: Tensor) -> tuple[Tensor, Tensor]:
    """Focal (alpha 0.25, gamma 2) and dice loss of each matched mask at the resolution of its target.

    Mask logits are resized bilinearly (``align_corners=False``). The pixel maps of a step at full resolution would be
    its largest tensors by far, so they are made chunk by chunk, and the gradients with them: kept for the backward pass
    are only two maps at the resolution of the logits.

    Args:
        logits: Matched mask logits [M, h, w].
        signs: Targets of the group as :func:`signed_targets` makes them, [B, T, H, W].
        sample: The sample of each matched mask, long [M].
        slot: The target slot of each matched mask, long [M].

    Returns:
        The focal loss [M], a mean over the counted pixels, and the dice loss [M].
    """
    return _MaskLosses.apply(logits, signs, sample, slot)


def point_losses(logits: Tensor, inside: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Binary cross entropy and dice loss of each mask over its points (Cheng et al., Mask2Former, section 3.3).

    Args:
        logits: Mask logits at the points [M, P], float32 or better.
        inside: Points in the target mask, bool [M, P].
        counted: Points that count, bool [M, P].

    Returns:
        The cross entropy [M], a mean over the counted points, and the dice loss [M].
    """
    weight = counted.to(logits.dtype)
    target = (inside & counted).to(logits.dtype)
    entropy = F.binary_cross_entropy_with_logits(logits, target, weight, reduction='none').sum(1)
    probability = logits.sigmoid()
    overlap, area = (probability * target).sum(1), (probability * weight).sum(1) + target.sum(1)
    dice = 1 - (2 * overlap + DICE_SMOOTHING) / (area + DICE_SMOOTHING)
    return entropy / weight.sum(1).clamp(min=1), dice


class _MaskLosses(torch.autograd.Function):
    """Works with ``z``, the logit signed such that it is large where the prediction is wrong.

    With q = sigmoid(z), the probability of being wrong, and c = softplus(z) = -log(1 - q), the focal loss of a pixel is
    a q^2 c and its derivative by z is a q^2 (2 (1 - q) c + q). All steps write into buffers that are used again, which
    on a CPU is several times faster than allocating.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, signs: Tensor, sample: Tensor, slot: Tensor) -> tuple[Tensor, Tensor]:
        (h, w), (height, width) = logits.shape[1:], signs.shape[2:]
        resize = BilinearResize((h, w), (height, width), logits)
        dtype = torch.promote_types(logits.dtype, torch.float32)
        focal, dice = logits.new_empty(2, len(logits), dtype=dtype)
        wants_grad = ctx.needs_input_grad[0]
        grads = logits.new_empty((2, *logits.shape) if wants_grad else 0)

        buffers = logits.new_empty(0)
        for part, of in mask_chunks(sample, slot, signs):
            masks = part.stop - part.start
            if len(buffers) < masks:
                buffers = logits.new_empty(masks, 4, height, width, dtype=dtype)
            z, wrong, entropy, square = buffers[:masks].unbind(1)  # [m, H, W] each
            sign = signs[sample[of], slot[of]].to(dtype)  # [m, H, W], or [1, H, W] of one target for all
            counts = sign.abs()  # 1 where a pixel counts
            counted = counts.sum((1, 2))  # [m]
            area = (counted - sign.sum((1, 2))) / 2  # [m]
            counted.clamp_(min=1)
            alpha = (counts / 2).add_(sign, alpha=0.5 - FOCAL_ALPHA)  # alpha, 1 - alpha or 0

            resize.forward(logits[part], out=z).mul_(sign)
            torch.sigmoid(z, out=wrong)
            torch.mul(wrong, wrong, out=square)
            torch.ops.aten.softplus.out(z, out=entropy)
            torch.mul(square, entropy, out=z)
            focal[part] = _products(z, alpha) / counted
            if wants_grad:
                z.addcmul_(z, wrong, value=-1).addcmul_(wrong, square, value=0.5).mul_(alpha.mul_(sign).mul_(2))
                grads[0, part] = resize.backward(z).div_(counted[:, None, None])

            # Probability of the mask in the background, less that of missing it inside; and both together.
            difference, both = _products(wrong, sign), _products(wrong, counts)  # [m]
            outside = (both + difference) / 2
            overlap = area - (outside - difference)
            top = 2 * overlap + DICE_SMOOTHING
            bottom = overlap + outside + area + DICE_SMOOTHING
            dice[part] = 1 - top / bottom
            if wants_grad:
                even, odd = (top / bottom - 1) / bottom, 1 / bottom  # factors of sign^2 and of sign
                torch.mul(sign, odd[:, None, None], out=z).addcmul_(counts, even[:, None, None])
                z.mul_(wrong.sub_(square))
                grads[1, part] = resize.backward(z)
        ctx.save_for_backward(grads)
        return focal, dice

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, focal_grad: Tensor, dice_grad: Tensor) -> tuple[Tensor, None, None, None]:
        (grads,) = ctx.saved_tensors
        factors = torch.stack([focal_grad, dice_grad]).to(grads.dtype)[..., None, None]  # [2, M, 1, 1]
        return (grads * factors).sum(0), None, None, None


def mask_chunks(sample: Tensor, slot: Tensor, signs: Tensor) -> Iterator[tuple[slice, slice]]:
    """Which of the matched masks are worked on at a time, and the masks whose targets are theirs.

    On a CPU these are masks of one target that follow each other, so that its map is read once. On an accelerator they
    are as many as fit, each with its own.
    """
    if sample.device.type != 'cpu':
        chunk = chunk_length(len(sample), signs[0, 0].numel(), sample.device)
        for start in range(0, len(sample), chunk):
            part = slice(start, min(start + chunk, len(sample)))
            yield part, part
        return
    lengths = torch.unique_consecutive(sample * signs.shape[1] + slot, return_counts=True)[1].tolist()
    for length, end in zip(lengths, accumulate(lengths), strict=True):
        yield slice(end - length, end), slice(end - length, end - length + 1)


def _products(maps: Tensor, weights: Tensor) -> Tensor:
    """Sums of maps ``[m, H, W]``, weighted by maps of their own or by one for all: ``[m]``."""
    if len(weights) == 1:
        return maps.flatten(1) @ weights.flatten()
    return torch.linalg.vecdot(maps.flatten(1), weights.flatten(1))
