"""Where half precision must not go: softmax with temperature, matching costs, losses, probabilities."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """Lift half precision to float32; float32 and float64 pass untouched."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def no_autocast(tensor: Tensor) -> torch.autocast:
    """A context in which operations on the device of ``tensor`` keep the precision of their inputs."""
    return torch.autocast(tensor.device.type, enabled=False)
