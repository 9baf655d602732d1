"""What the tests of decoders share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mmlmseg.models.structures import Categories, MemoryLevel


def masks_at(hidden: Tensor, size: tuple[int, int]) -> Tensor:
    """Mask logits [B, N, h, w] that depend on the queries."""
    h, w = size
    return hidden[..., :1, None] + hidden[..., 1:2, None] * torch.linspace(-1, 1, h * w).reshape(h, w)


@pytest.fixture
def decoder_inputs() -> Callable[..., dict[str, Any]]:
    """A factory of a decoder's arguments: 4 queries a sample, levels of 2x3 and 4x6 pixels, text rows of 3 classes."""

    def make(images: int = 2, sets: int = 1, levels: int = 1, channels: int = 8) -> dict[str, Any]:
        batch = images * sets
        sizes = [(2, 3), (4, 6)][:levels]
        return dict(
            content=torch.randn(batch, 4, channels),
            position=torch.randn(batch, 4, channels),
            memory=[
                MemoryLevel(
                    value=torch.randn(images, h * w, channels),
                    position=torch.randn(images, h * w, channels),
                    padding=torch.zeros(images, h * w, dtype=torch.bool),
                    size=(h, w),
                )
                for h, w in sizes
            ],
            categories=Categories(
                ('a',) * batch, torch.ones(batch, 4, dtype=torch.bool), torch.randn(batch, 4, channels)
            ),
            masks_at=masks_at,
        )

    return make
