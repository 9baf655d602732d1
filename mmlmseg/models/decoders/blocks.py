"""The blocks every decoder is made of: post-norm attention and feed-forward, each with its residual."""

from __future__ import annotations

from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention with residual and post-norm.

    Args:
        channels: C.
        num_heads: Heads; must divide C.
        dropout: On attention weights and on the output.
    """

    def __init__(self, channels: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(channels, num_heads, dropout=dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None = None) -> Tensor:
        """Attends and adds.

        Args:
            x: ``[B, N, C]``, the residual.
            query: ``[B, N, C]``.
            key: ``[B, S, C]``.
            value: ``[B, S, C]``.
            padding: ``[B, S]`` bool, True where a key must not be seen; one key at least must stay visible.

        Returns:
            ``[B, N, C]``.
        """
        attended = self.attention(query, key, value, key_padding_mask=padding, need_weights=False)[0]
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


def init_transformer(module: nn.Module) -> None:
    """Initialises all matrices of a transformer with Xavier's uniform, as DETR and MaskFormer do."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
