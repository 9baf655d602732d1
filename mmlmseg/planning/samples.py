"""What of a sample is learned from, the datasets behind a loader, and parameters by part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..datasets.streams import Draw
from ..randomness import SAMPLE
from ..segments import IGNORE_INDEX, VOID
from .figures import Parameters, Pixels


def pixels_of(sample: dict[str, Any]) -> Pixels:
    """Shares of the pixels of a sample, as a training pipeline packs it.

    A pixel is useful where any of the sample's label spaces says something of it, be it that there is no object.
    """
    image, packed = sample['inputs'], sample['data_samples']
    height, width = image.shape[-2:]
    labelled = _labelled(packed)
    rows, columns = packed.metainfo.get('content_shape', (height, width))
    padding = 1 - rows * columns / (height * width)
    useful = float(labelled.float().mean())
    return Pixels(useful, 1 - padding - useful, padding)


def mean_pixels(each: Sequence[Pixels]) -> Pixels:
    """The mean of several samples."""
    return Pixels(*(sum(shares) / len(each) for shares in zip(*((p.useful, p.ignored, p.padding) for p in each))))


def _labelled(packed: Any) -> Tensor:
    """``[H, W]`` bool: where there is truth."""
    if 'gt_segments' in packed:
        return (packed.gt_segments.ids != VOID).any(0)
    return packed.gt_sem_seg.data[0] != packed.metainfo.get('ignore_index', IGNORE_INDEX)


def named_sizes(dataset: Any) -> dict[str, int]:
    """The datasets that a loader joins, by name, with their samples; of any other dataset, itself."""
    if not (hasattr(dataset, 'names') and hasattr(dataset, 'sizes')):
        return {type(dataset).__name__: len(dataset)}
    ends = np.minimum(np.cumsum(dataset.sizes), len(dataset))  # num_batch_per_epoch of a loader cuts the last ones off
    return dict(zip(dataset.names, np.diff(ends, prepend=0).tolist(), strict=True))


def drawn_places(sizes: Sequence[int], which: int, count: int) -> list[Draw]:
    """Some samples of one of several joined datasets, spread over it, as draws: each has random transforms of its own.

    Where there are fewer samples than asked for they come again.
    """
    order = np.random.default_rng(which).permutation(sizes[which])
    first = sum(sizes[:which])
    return [Draw(first + int(order[n % len(order)]), (0, SAMPLE, which, n)) for n in range(count)]


def parameters_of(model: nn.Module) -> Parameters:
    """Counts the parameters of a model; of its decode head each part by itself."""
    parts: dict[str, tuple[int, int]] = {}
    for name, parameter in model.named_parameters():  # each once, also where parts share it
        path = name.split('.')
        part = '.'.join(path[: 2 if path[0] == 'decode_head' and len(path) > 2 else 1])
        total, trained = parts.get(part, (0, 0))
        parts[part] = total + parameter.numel(), trained + parameter.numel() * parameter.requires_grad
    return Parameters(sum(t for t, _ in parts.values()), sum(t for _, t in parts.values()), parts)
