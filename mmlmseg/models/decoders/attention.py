"""The blocks of every decoder: attention and feed-forward, each with residual and post-norm."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..numerics import at_least_float32, random_int16


class Dropout(nn.Dropout):
    """:class:`torch.nn.Dropout`, which on a CPU draws sixteen bits an element instead of a double.

    That takes a sixth of the time; a rate is met to 1 / 65536.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0 or x.device.type != 'cpu':
            return super().forward(x)
        kept = random_int16(x.shape) >= round(self.p * 2**16) - 2**15
        return x * kept.to(x.dtype).div_(1 - self.p)


class MultiHeadAttention(nn.Module):
    """Multi-head attention with the parameters of :class:`torch.nn.MultiheadAttention`, and without its copies.

    Args:
        channels: C.
        num_heads: Heads; must divide C.
        dropout: On attention weights.
    """

    def __init__(self, channels: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = Dropout(dropout)
        self.in_proj_weight = nn.Parameter(torch.empty(3 * channels, channels))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        self.out_proj = nn.Linear(channels, channels)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, hidden: Tensor | None = None) -> Tensor:
        """``[B, N, C]`` from keys and values ``[B, S, C]``; see :func:`attend` for ``hidden``."""
        projections = zip(self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3), strict=True)
        q, k, v = (F.linear(x, *own) for x, own in zip((query, key, value), projections, strict=True))
        return self.out_proj(attend(q, k, v, self.num_heads, hidden, self.dropout))


class UnprojectedAttention(nn.Module):
    """:class:`MultiHeadAttention` without key and value projections, as if they were the identity.

    The heads split the channels of keys and values as they come; only queries and outputs have a linear layer.

    Args: see :class:`MultiHeadAttention`.
    """

    def __init__(self, channels: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = Dropout(dropout)
        self.query = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)
        for layer in (self.query, self.output):
            nn.init.zeros_(layer.bias)  # as in torch's module

    def forward(self, query: Tensor, key: Tensor, value: Tensor, hidden: Tensor | None = None) -> Tensor:
        """See :class:`MultiHeadAttention`."""
        query = self.query(query)
        key, value = key.to(query.dtype), value.to(query.dtype)
        return self.output(attend(query, key, value, self.num_heads, hidden, self.dropout))


def attend(
    query: Tensor, key: Tensor, value: Tensor, num_heads: int, hidden: Tensor | None, dropout: nn.Dropout
) -> Tensor:
    """Scaled dot-product attention of heads that share the channels.

    Args:
        query: ``[B, N, C]``.
        key: ``[B, S, C]``.
        value: ``[B, S, C]``.
        num_heads: Heads.
        hidden: bool ``[B, N, S]``, or ``[B, 1, S]`` for all queries, True where a key must not be seen; one key at
            least must stay visible. No head gets a copy.
        dropout: On attention weights.

    Returns:
        ``[B, N, C]``.
    """
    q, k, v = (x.unflatten(-1, (num_heads, -1)).transpose(1, 2) for x in (query, key, value))  # [B, heads, ., c]
    visible = None if hidden is None else ~hidden[:, None]  # [B, 1, N or 1, S]
    rate = dropout.p if dropout.training else 0.0
    if rate and q.device.type == 'cpu':  # no fused kernel drops weights there, and torch's own draws slowly
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5  # [B, heads, N, S]
        scores = scores if visible is None else scores.masked_fill(~visible, -torch.inf)
        attended = dropout(at_least_float32(scores).softmax(-1)) @ v
    else:
        attended = F.scaled_dot_product_attention(q, k, v, visible, rate)
    return attended.transpose(1, 2).flatten(2)


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
        kind = MultiHeadAttention if project_keys_values else UnprojectedAttention
        self.attention = kind(channels, num_heads, dropout)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Adds to ``x`` ``[B, N, C]`` what its queries read; see :func:`attend`."""
        return self.norm(x + self.dropout(self.attention(query, key, value, hidden)))


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
            Dropout(dropout),
            nn.Linear(hidden_channels, channels),
            Dropout(dropout),
        )
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, N, C] -> [B, N, C]``."""
        return self.norm(x + self.layers(x))
