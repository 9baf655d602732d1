"""Semantic results from query predictions."""

from __future__ import annotations

import torch
from torch import Tensor

from ..numerics import no_autocast
from ..structures import Prediction
from .lazy_maps import LazyMaps, Size, best


def class_scores(own: Prediction, size: Size) -> LazyMaps:
    """Marginalises over the queries: each pixel's score of a class is the sum of mask times class probability.

    Args:
        own: What the model says of one sample.
        size: Height and width of the scores, usually those of the padded input.

    Returns:
        Scores ``[H, W, K]`` in the precision of the class probabilities.
    """
    classes = own.classes[:, :-1].contiguous()  # [N, K]

    def mixed(logits: Tensor) -> Tensor:  # [..., N] to [..., K]
        with no_autocast(logits):
            return logits.sigmoid_() @ classes

    return LazyMaps.of(own.mask_logits, classes.dtype).resize(size).map(mixed, classes.shape[1])


@torch.no_grad()
def class_map(scores: LazyMaps) -> Tensor:
    """The class with the largest score of each pixel, the first of equal ones: long ``[H, W]``."""
    labels = torch.empty(scores.size, dtype=torch.long, device=scores.device)
    for rows, strip in scores.strips():
        labels[rows] = best(strip)
    return labels


@torch.no_grad()
def all_scores(scores: LazyMaps) -> Tensor:
    """The scores of all pixels at once, ``[K, H, W]``, for who needs them: in float32 4 bytes a class and pixel."""
    made = torch.empty(scores.channels, *scores.size, dtype=scores.dtype, device=scores.device)
    for rows, strip in scores.strips():
        made[:, rows] = strip.movedim(-1, 0)
    return made
