"""Small random size groups, and the whole criterion once more in plain Python numbers and double loops."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from mmlmseg.models.criterion import semantic_targets
from mmlmseg.models.structures import HeadOutputs, Targets


@pytest.fixture
def make_group() -> Callable[..., tuple[HeadOutputs, Targets]]:
    """A factory of one size group: spaces of different size, ignored pixels, logits that need gradients."""

    def make(
        classes: Sequence[int] = (4, 2),
        size: tuple[int, int] = (8, 12),
        layers: int = 2,
        queries: int = 4,
        ignored: float = 0.2,
        stride: int = 2,
        dtype: torch.dtype = torch.float64,
    ) -> tuple[HeadOutputs, Targets]:
        samples, most = len(classes), max(classes)
        seg = torch.stack([torch.randint(0, k, size) for k in classes])
        seg[torch.rand(seg.shape) < ignored] = 255
        valid = torch.tensor([[column < k or column == most for column in range(most + 1)] for k in classes])
        height, width = size[0] // stride, size[1] // stride
        outputs = HeadOutputs(
            class_logits=torch.randn(layers, samples, queries, most + 1, dtype=dtype).requires_grad_(),
            mask_logits=(2 * torch.randn(layers, samples, queries, height, width, dtype=dtype)).requires_grad_(),
            valid=valid,
        )
        return outputs, semantic_targets(seg)

    return make


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _softmax(row: Tensor, valid: Tensor) -> list[float]:
    weights = [math.exp(x) if ok else 0.0 for x, ok in zip(row.tolist(), valid.tolist(), strict=True)]
    return [weight / sum(weights) for weight in weights]


def _focal(logits: Tensor, mask: Tensor, pixels: Tensor) -> float:
    total, count = 0.0, 0
    for y, x in itertools.product(range(mask.shape[0]), range(mask.shape[1])):
        if pixels[y, x]:
            p = _sigmoid(float(logits[y, x]))
            total += -0.25 * (1 - p) ** 2 * math.log(p) if mask[y, x] else -0.75 * p**2 * math.log(1 - p)
            count += 1
    return total / max(count, 1)


def _dice(logits: Tensor, mask: Tensor, pixels: Tensor) -> float:
    overlap = total = 0.0
    for y, x in itertools.product(range(mask.shape[0]), range(mask.shape[1])):
        if pixels[y, x]:
            p, t = _sigmoid(float(logits[y, x])), float(mask[y, x])
            overlap += p * t
            total += p + t
    return 1 - (2 * overlap + 1) / (total + 1)


def _nearest(maps: Tensor, size: tuple[int, int]) -> Tensor:
    result = torch.zeros(size, dtype=maps.dtype)
    for y, x in itertools.product(range(size[0]), range(size[1])):
        result[y, x] = maps[y * maps.shape[0] // size[0], x * maps.shape[1] // size[1]]
    return result


def _bilinear(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Half-pixel centres, edges repeated."""
    old = maps.shape
    result = torch.zeros(size, dtype=maps.dtype)
    for y, x in itertools.product(range(size[0]), range(size[1])):
        v = max((y + 0.5) * old[0] / size[0] - 0.5, 0)
        u = max((x + 0.5) * old[1] / size[1] - 0.5, 0)
        top, left = int(v), int(u)
        below, right = min(top + 1, old[0] - 1), min(left + 1, old[1] - 1)
        v, u = v - top, u - left
        above = (1 - u) * maps[top, left] + u * maps[top, right]
        result[y, x] = (1 - v) * above + v * ((1 - u) * maps[below, left] + u * maps[below, right])
    return result


def _cost(outputs: HeadOutputs, targets: Targets, at: tuple[int, int, int, int], weights: Sequence[float]) -> float:
    layer, b, n, t = at
    logits = outputs.mask_logits[layer, b, n].detach()
    mask, pixels = _nearest(targets.masks[b, t], logits.shape), _nearest(targets.pixels[b], logits.shape)
    by_class = -_softmax(outputs.class_logits[layer, b, n], outputs.valid[b])[int(targets.labels[b, t])]
    return weights[0] * by_class + weights[1] * _focal(logits, mask, pixels) + weights[2] * _dice(logits, mask, pixels)


def _best(costs: dict[tuple[int, int], float], queries: int, slots: list[int]) -> dict[int, int]:
    """Target -> query, tried over all assignments of min(N, T) pairs."""
    pairs = min(queries, len(slots))
    options = (
        list(zip(some, order, strict=True))
        for some in itertools.combinations(slots, pairs)
        for order in itertools.permutations(range(queries), pairs)
    )
    return dict(min(options, key=lambda option: sum(costs[n, t] for t, n in option)))


def _sums(
    outputs: HeadOutputs, targets: Targets, weights: Sequence[float] = (1, 20, 1), no_object: float = 0.1
) -> dict[str, Any]:
    """Un-normalised losses per layer, what to divide them by, and the matching."""
    layers, samples, queries, columns = outputs.class_logits.shape
    result: dict[str, Any] = dict(cls=[0.0] * layers, focal=[0.0] * layers, dice=[0.0] * layers, match={})
    size = targets.pixels.shape[1:]
    for layer, b in itertools.product(range(layers), range(samples)):
        slots = [t for t in range(targets.labels.shape[1]) if targets.valid[b, t]]
        costs = {(n, t): _cost(outputs, targets, (layer, b, n, t), weights) for n in range(queries) for t in slots}
        best = _best(costs, queries, slots)
        result['match'][layer, b] = best
        wanted = {n: int(targets.labels[b, t]) for t, n in best.items()}
        for n in range(queries):
            p = _softmax(outputs.class_logits[layer, b, n], outputs.valid[b])[wanted.get(n, columns - 1)]
            result['cls'][layer] -= (1.0 if n in wanted else no_object) * math.log(p)
        for t, n in best.items():
            full = _bilinear(outputs.mask_logits[layer, b, n].detach(), size)
            result['focal'][layer] += _focal(full, targets.masks[b, t], targets.pixels[b])
            result['dice'][layer] += _dice(full, targets.masks[b, t], targets.pixels[b])
    matched = sum(min(queries, int(valid.sum())) for valid in targets.valid)
    result['masks'] = matched
    result['class_weight'] = matched + no_object * (samples * queries - matched)
    return result


@pytest.fixture
def brute_force() -> SimpleNamespace:
    """The definitions, spelt out number by number."""
    return SimpleNamespace(
        cost=_cost,
        focal=_focal,
        dice=_dice,
        nearest=_nearest,
        bilinear=_bilinear,
        sums=_sums,
        softmax=_softmax,
        best=_best,
    )
