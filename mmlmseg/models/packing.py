"""Plain data as a tensor, so that it can stand among weights.

Everything that walks over a state dict lets a tensor be: safe loading, moving to a device, the broadcast with which
distributed training starts, averaging of weights. It would stumble over a dict of names.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError


def pack(data: Any) -> Tensor:
    """Packs what JSON can hold.

    Returns:
        The bytes of the JSON text, uint8.

    Example:
        >>> unpack(pack({'names': ['sky']}))
        {'names': ['sky']}
    """
    return torch.frombuffer(bytearray(json.dumps(data).encode()), dtype=torch.uint8).clone()


def unpack(packed: Tensor) -> Any:
    """The inverse of :func:`pack`.

    Raises:
        CheckpointError: Where the tensor holds something else.
    """
    try:
        return json.loads(bytes(packed.cpu().tolist()).decode())
    except (AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(f'a text packed into the checkpoint cannot be read: {error}') from None
