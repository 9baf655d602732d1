"""Bipartite matching of queries and targets (paper equations 4 and 5), all layers and images of a step at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ...errors import LabelSpaceError
from ..numerics import class_probabilities, no_autocast
from ..structures import HeadOutputs, Targets
from .losses import DICE_SMOOTHING, FOCAL_ALPHA, chunk_length

Cost = Callable[[HeadOutputs, Targets], Tensor]  # of one size group, [L, B, N, T]

_warned: set[int] = set()  # the numbers of queries that were said to be too few
_PADDING, _TARGET, _FOREIGN = 0, 1, 2  # what a target slot holds, as told to the host


def class_cost(outputs: HeadOutputs, labels: Tensor) -> Tensor:
    """Minus the probability of each target's class.

    Args:
        outputs: Predictions of one size group.
        labels: Target classes, long [B, T]. One that is no column costs as some other; :func:`match` reports it.

    Returns:
        Costs [L, B, N, T].
    """
    probability = class_probabilities(outputs.class_logits, outputs.valid, outputs.activation)  # [L, B, N, K + 1]
    labels = labels.clamp(0, probability.shape[-1] - 1)
    index = labels[None, :, None].expand(*probability.shape[:3], -1)  # [L, B, N, T]
    return -probability.gather(-1, index)


@torch.no_grad()
def mask_cost(
    logits: Tensor, masks: Tensor, pixels: Tensor, focal_weight: float = 20.0, dice_weight: float = 1.0
) -> Tensor:
    """Weighted sum of the focal and the dice loss between every query and every target of a sample.

    Both losses are linear in the target, so they are matrix products over the pixels: no [N, T, P] tensor exists. The
    pixel maps of all layers together would be the largest tensors of the step, so they are made chunk by chunk.

    Args:
        logits: Mask logits [L, B, N, h, w].
        masks: Target masks at the same resolution, bool [B, T, h, w].
        pixels: Pixels that count, bool [B, h, w].
        focal_weight: Factor of the focal cost, a mean over the counted pixels.
        dice_weight: Factor of the dice cost.

    Returns:
        Costs [L, B, N, T].
    """
    layers, samples, queries, *_ = logits.shape
    dtype = torch.promote_types(logits.dtype, torch.float32)
    logits = logits.flatten(3)  # [L, B, N, P]
    regions = torch.cat(
        [masks & pixels[:, None], pixels[:, None]], 1
    )  # [B, T + 1, h, w]: targets, then all that counts
    regions = regions.flatten(2).transpose(1, 2).to(dtype)  # [B, P, T + 1]
    size = regions.sum(1)[:, None]  # [B, 1, T + 1]
    area, share = size[..., :-1], focal_weight * (1 - FOCAL_ALPHA) / size[..., -1:].clamp(min=1)

    cost = logits.new_empty(layers, samples, queries, area.shape[-1], dtype=dtype)
    for layer, part, (logit, probability, inside, outside) in pixel_chunks(logits, dtype):
        # The focal loss of every pixel, over 1 - alpha: as if it were outside of the mask, and what being inside saves.
        logit.copy_(logits[layer, part])
        torch.sigmoid(logit, out=probability)
        torch.ops.aten.softplus.out(logit, out=outside)  # -log(1 - p)
        torch.sub(outside, logit, out=inside)  # -log(p)
        for _ in range(2):  # times (1 - p)^2
            inside.addcmul_(inside, probability, value=-1)
        outside.mul_(probability).mul_(probability)
        saved = torch.add(outside, inside, alpha=-FOCAL_ALPHA / (1 - FOCAL_ALPHA), out=inside)

        focal = outside @ regions[part, :, -1:] - saved @ regions[part, :, :-1]  # [m, N, T]
        overlap = probability @ regions[part]  # [m, N, T + 1]
        overlap, total = overlap[..., :-1], overlap[..., -1:] + area[part]
        dice = 1 - (2 * overlap + DICE_SMOOTHING) / (total + DICE_SMOOTHING)
        cost[layer, part] = share[part] * focal + dice_weight * dice
    return cost


def pixel_chunks(logits: Tensor, dtype: torch.dtype) -> Iterator[tuple[int, slice, Tensor]]:
    """Walks over layers and samples with four buffers [4, m, N, P] that are used again for every chunk."""
    layers, samples, queries, size = logits.shape
    chunk = chunk_length(samples, queries * size, logits.device)
    buffers = logits.new_empty(4, chunk, queries, size, dtype=dtype)
    for layer in range(layers):
        for start in range(0, samples, chunk):
            stop = min(start + chunk, samples)
            yield layer, slice(start, stop), buffers[:, : stop - start]


def nearest(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Resize [..., H, W] to ``size`` by picking pixels, which keeps bool maps bool (as MaskFormer's 'nearest')."""
    rows, columns = (
        torch.arange(new, device=maps.device) * old // new for new, old in zip(size, maps.shape[-2:], strict=True)
    )
    return maps[..., rows[:, None], columns]


@torch.no_grad()
def matching_cost(
    outputs: HeadOutputs,
    targets: Targets,
    class_weight: float = 1.0,
    focal_weight: float = 20.0,
    dice_weight: float = 1.0,
) -> Tensor:
    """The cost [L, B, N, T] of matching any query of a size group with any target of its sample, by all pixels.

    Meaningless where the target slot is padding.
    """
    size = outputs.mask_logits.shape[-2:]
    masks = nearest(targets.masks, size)  # [B, T, h, w]
    pixels = nearest(targets.pixels, size)  # [B, h, w]
    by_mask = mask_cost(outputs.mask_logits, masks, pixels, focal_weight, dice_weight)
    return class_weight * class_cost(outputs, targets.labels) + by_mask


def match(outputs: Sequence[HeadOutputs], targets: Sequence[Targets], cost: Cost = matching_cost) -> list[Tensor]:
    """Match the targets of all size groups, layers and samples with queries, at one device synchronisation.

    Args:
        outputs: Predictions, one entry a size group.
        targets: Targets of the same groups.
        cost: What it costs to match any query with any target in a size group, called without autocast.

    Returns:
        For each group a long tensor [L, B, T] **on the host** with the query of each target, -1 where the slot is
        padding or, if there are more targets than queries, where the target got none.

    Raises:
        LabelSpaceError: A target has a label outside its sample's label space.
        FloatingPointError: A cost is not finite, except in fp16.
    """
    if not outputs:
        return []
    costs, states = [], []
    for output, target in zip(outputs, targets, strict=True):
        with no_autocast(output.mask_logits):
            table = cost(output, target)
        # Where fp16 overflows any matching will do: the loss overflows too, and the gradient scaler skips the step.
        costs.append(table.nan_to_num() if output.mask_logits.dtype == torch.float16 else table)
        states.append(_slot_states(output, target))
    # Everything the host needs, in one copy.
    packed = torch.cat([part.flatten().to(costs[0].dtype) for part in (*costs, *states)])
    host = packed.cpu().split([part.numel() for part in (*costs, *states)])
    return [
        _solve(host[i].reshape(table.shape).numpy(), host[len(costs) + i].reshape(state.shape).numpy(), targets[i])
        for i, (table, state) in enumerate(zip(costs, states, strict=True))
    ]


def _slot_states(output: HeadOutputs, target: Targets) -> Tensor:
    """What each target slot holds: padding, a target, or a target whose label is foreign to the sample's space."""
    no_object = output.valid.shape[1] - 1
    inside = (target.labels >= 0) & (target.labels < no_object)
    inside &= output.valid.gather(1, target.labels.clamp(0, no_object))
    return torch.where(target.valid, torch.where(inside, _TARGET, _FOREIGN), _PADDING)  # [B, T]


def _solve(costs: np.ndarray, states: np.ndarray, targets: Targets) -> Tensor:
    """The cheapest assignment of each layer and sample; costs [L, B, N, T], states [B, T]."""
    layers, samples, available, slots = costs.shape
    if (states == _FOREIGN).any():
        sample, slot = np.argwhere(states == _FOREIGN)[0]
        raise LabelSpaceError(
            f'sample {sample} of a size group has target label {int(targets.labels[sample, slot])}, which is outside '
            "its label space. Check the dataset's labels against its class list, and reduce_zero_label."
        )
    queries = np.full((layers, samples, slots), -1, dtype=np.int64)
    for sample in range(samples):
        wanted = np.flatnonzero(states[sample] == _TARGET)
        if not wanted.size:
            continue
        if wanted.size > available:
            named = targets.sources[sample] if targets.sources else f'sample {sample} of a size group'
            _warn_of_few_queries(available, named, wanted.size)
        table = costs[:, sample][:, :, wanted]  # [L, N, T_b]
        if not np.isfinite(table).all():
            layer = int(np.argwhere(~np.isfinite(table))[0, 0])
            raise FloatingPointError(
                f'the matching cost of sample {sample} of a size group is not finite in decoder layer {layer}: '
                'the model has produced NaN or infinity. Lower the learning rate, clip gradients '
                '(optim_wrapper.clip_grad), use bf16 instead of fp16, or check the input images for invalid values.'
            )
        for layer in range(layers):
            query, target = linear_sum_assignment(table[layer])
            queries[layer, sample, wanted[target]] = query
    return torch.from_numpy(queries)


def _warn_of_few_queries(queries: int, named: str, objects: int) -> None:
    """Says once for each number of queries that an image has more objects."""
    if queries not in _warned:
        _warned.add(queries)
        warnings.warn(
            f'{named} has {objects} segments, but the model {queries} queries: {objects - queries} of them are matched '
            'with none and teach nothing, here and in other images alike; raise num_queries of '
            'model.decode_head.queries',
            stacklevel=2,
        )
