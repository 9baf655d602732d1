"""Where half precision must not go: class probabilities, softmax with temperature, matching costs, losses."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

ClassActivation = Literal['softmax', 'sigmoid']
"""What class logits mean: a query is one class of its sample's label space, or each class on its own."""


def at_least_float32(tensor: Tensor) -> Tensor:
    """Lift half precision to float32; float32 and float64 pass untouched."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def no_autocast(tensor: Tensor) -> torch.autocast:
    """A context in which operations on the device of ``tensor`` keep the precision of their inputs."""
    return torch.autocast(tensor.device.type, enabled=False)


def mask_classes(logits: Tensor, valid: Tensor) -> Tensor:
    """Takes the classes that a sample's space lacks out of a softmax or sigmoid. Apply it just before, nowhere else.

    Args:
        logits: ``[..., N, K + 1]``.
        valid: ``[..., K + 1]`` bool, of the samples.

    Returns:
        The logits, minus infinity where a class is not valid.
    """
    return logits.masked_fill(~valid[..., None, :], -torch.inf)


def class_probabilities(logits: Tensor, valid: Tensor, activation: ClassActivation) -> Tensor:
    """How probable each class is for each query, 0 where it is not valid. Computed in fp32 or better.

    Args:
        logits: Class logits ``[..., N, K + 1]``, no-object last.
        valid: Columns of each sample's label space, ``[..., K + 1]`` bool.
        activation: ``softmax``: the query is one of the classes, or no-object. ``sigmoid``: a query may be each class
            by itself, or none; then the column of no-object is not read.

    Returns:
        ``[..., N, K + 1]``; the last column is the probability of no-object, 0 with ``sigmoid``.
    """
    with no_autocast(logits):
        logits = mask_classes(at_least_float32(logits), valid)
        return logits.softmax(-1) if activation == 'softmax' else F.pad(logits[..., :-1].sigmoid(), (0, 1))
