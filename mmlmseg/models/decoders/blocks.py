"""The blocks every decoder is made of: post-norm attention and feed-forward, each with its residual."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn


class UnprojectedAttention(nn.Module):
    """Multi-head attention without key and value projections, for use in place of :class:`torch.nn.MultiheadAttention`.

    The heads split the channels of keys and values as they come; only queries and outputs have a linear layer. Equals
    torch's module with the identity as key and value projection.

    Args:
        channels: C.
        num_heads: Heads; must divide C.
        dropout: On attention weights.
    """

    def __init__(self, channels: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.query = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)
        for layer in (self.query, self.output):
            nn.init.zeros_(layer.bias)  # as in torch's module

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: Literal[False] = False,
        attn_mask: None = None,
    ) -> tuple[Tensor, None]:
        """``[B, N, C]`` from ``[B, S, C]``, with a ``[B, S]`` mask that is True where a key must not be seen."""
        q, k, v = (t.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for t in (self.query(query), key, value))
        visible = None if key_padding_mask is None else ~key_padding_mask[:, None, None]  # [B, 1, 1, S]
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, visible, dropout)  # [B, heads, N, C / heads]
        return self.output(attended.transpose(1, 2).flatten(2)), None


class Attention(nn.Module):
    """Multi-head attention with residual and post-norm.

    Args:
        channels: C.
        num_heads: Heads; must divide C.
        dropout: On attention weights and on the output.
        project_keys_values: Give keys and values a linear layer each; queries and outputs always have one.
    """

    def __init__(self, channels: int, num_heads: int, dropout: float, project_keys_values: bool = True) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention: nn.Module
        if project_keys_values:
            self.attention = nn.MultiheadAttention(channels, num_heads, dropout=dropout, batch_first=True)
        else:
            self.attention = UnprojectedAttention(channels, num_heads, dropout)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(channels)

    def forward(
        self,
        x: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        padding: Tensor | None = None,
        hidden: Tensor | None = None,
    ) -> Tensor:
        """Attends and adds.

        Args:
            x: ``[B, N, C]``, the residual.
            query: ``[B, N, C]``.
            key: ``[B, S, C]``.
            value: ``[B, S, C]``.
            padding: ``[B, S]`` bool, True where a key must not be seen; one key at least must stay visible.
            hidden: The same for each query, ``[B, N, S]``, in place of ``padding``.

        Returns:
            ``[B, N, C]``.
        """
        mask = None if hidden is None else hidden.repeat_interleave(self.num_heads, 0)  # [B * heads, N, S]
        attended = self.attention(query, key, value, key_padding_mask=padding, need_weights=False, attn_mask=mask)[0]
        return self.norm(x + self.dropout(attended))


class FeedForward(nn.Module):
    """Two linear layers with residual and post-norm.

    Args:
        channels: C.
        hidden_channels: The width between the layers.
        dropout: After each layer.
    """

    def __init__(self, channels: int, hidden_channels: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels, hidden_channels),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden_channels, channels),
            nn.Dropout(dropout),
        )
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, N, C] -> [B, N, C]``."""
        return self.norm(x + self.layers(x))


def side_by_side(queries: Tensor, images: int) -> Tensor:
    """Puts the query sets of an image beside each other: ``[..., B * S, N, C]`` to ``[..., B, S * N, C]``."""
    return queries.unflatten(-3, (images, -1)).flatten(-3, -2)


def one_by_one(queries: Tensor, samples: int) -> Tensor:
    """The inverse of :func:`side_by_side`, for B * S samples."""
    sets = samples // queries.shape[-3]
    return queries.unflatten(-2, (sets, -1)).flatten(-4, -3)


def init_transformer(module: nn.Module) -> None:
    """Initialises all matrices of a transformer with Xavier's uniform, as DETR and MaskFormer do."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
