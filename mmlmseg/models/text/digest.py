"""A hash over weights, independent of the file they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over tensors in the order of their names, as float32: equal for equal weights, however they were stored.

    Args:
        weights: Tensors by name, e.g. a state dict.

    Returns:
        The hexadecimal digest.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to('cpu', torch.float32).contiguous()
        digest.update(f'{name}{tuple(tensor.shape)}'.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
