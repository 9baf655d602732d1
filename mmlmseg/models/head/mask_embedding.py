"""From decoded queries to masks."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class MaskEmbedding(nn.Module):
    """The three-layer perceptron from a decoded query to the filter that makes its mask (MaskFormer, LMSeg 3.2)."""

    def __init__(self, channels: int, mask_channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(channels, c) for c in (channels, channels, mask_channels)])

    def forward(self, queries: Tensor) -> Tensor:
        """``[..., C]`` to filters ``[..., C_mask]``."""
        for layer in self.layers[:-1]:
            queries = F.relu(layer(queries))
        return self.layers[-1](queries)

    @staticmethod
    def masks(filters: Tensor, pixels: Tensor) -> Tensor:
        """Filters ``[L, B * S, N, C_mask]`` on pixels ``[B, C_mask, h, w]``: mask logits ``[L, B * S, N, h, w]``."""
        layers, _, queries, _ = filters.shape
        by_image = filters.unflatten(1, (pixels.shape[0], -1)).transpose(0, 1).flatten(1, 3)  # [B, L * S * N, C_mask]
        maps = pixels.permute(0, 2, 3, 1).flatten(1, 2)  # [B, h * w, C_mask], where channels lie last no copy
        logits = by_image @ maps.transpose(1, 2)
        return logits.view(pixels.shape[0], layers, -1, queries, *pixels.shape[-2:]).transpose(0, 1).flatten(1, 2)
