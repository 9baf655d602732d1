"""The decoder of MaskFormer: queries see each other and the image; and the blocks of every decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...registry import MODELS
from ..structures import Categories, MemoryLevel

MasksOf = Callable[[Tensor], Tensor]
"""From decoded queries ``[L, B * S, N, C]`` to their mask logits ``[L, B * S, N, h, w]``."""


class ImageMemory(NamedTuple):
    """A level of the memory as cross-attention reads it: keys and values ``[B, h*w, C]``, padding ``[B, h*w]``."""

    key: Tensor
    value: Tensor
    padding: Tensor

    @classmethod
    def of(cls, level: MemoryLevel) -> ImageMemory:
        """Adds the position to the keys."""
        return cls(level.value + level.position, level.value, level.padding)


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


class PlainDecoderLayer(nn.Module):
    """Self-attention, cross-attention to the image, feed-forward.

    Args:
        channels: C.
        num_heads: Heads of each attention.
        ffn_channels: Hidden width of the feed-forward block.
        dropout: Everywhere in the layer.
        project_keys_values: See :class:`Attention`; of the cross-attention.
    """

    def __init__(
        self, channels: int, num_heads: int, ffn_channels: int, dropout: float, project_keys_values: bool = True
    ) -> None:
        super().__init__()
        self.self_attention = Attention(channels, num_heads, dropout)
        self.image_attention = Attention(channels, num_heads, dropout, project_keys_values)
        self.feed_forward = FeedForward(channels, ffn_channels, dropout)

    def attend_self(self, x: Tensor, position: Tensor) -> Tensor:
        """Self-attention over ``[B, N, C]``."""
        placed = x + position
        return self.self_attention(x, placed, placed, x)

    def attend_image(self, x: Tensor, position: Tensor, memory: ImageMemory, hidden: Tensor | None = None) -> Tensor:
        """Cross-attention of ``[B * S, N, C]`` to the memory of B images: all query sets of an image read it at once.

        Queries do not see each other here, so S sets together get what each would get alone. ``hidden``, bool
        ``[B, S * N, h*w]`` and True where a query must not look, stands in for the padding of the memory.
        """
        images = len(memory.key)
        placed = side_by_side(x + position, images)
        padding = memory.padding if hidden is None else None
        seen = self.image_attention(side_by_side(x, images), placed, memory.key, memory.value, padding, hidden)
        return one_by_one(seen, len(x))

    def forward(self, x: Tensor, position: Tensor, memory: ImageMemory, categories: Categories) -> Tensor:
        """One layer over ``[B * S, N, C]``; the categories play no part."""
        x = self.attend_self(x, position)
        x = self.attend_image(x, position, memory)
        return self.feed_forward(x)


@MODELS.register_module()
class PlainDecoder(BaseModule):
    """A stack of decoder layers over one image memory, with deep supervision.

    Args:
        channels: C, the width of queries and memory.
        num_layers: L.
        num_heads: Heads of each attention.
        ffn_channels: Hidden width of the feed-forward blocks.
        dropout: Everywhere in the layers.
        init_cfg: See mmengine's BaseModule.
    """

    def __init__(
        self,
        channels: int,
        num_layers: int = 6,
        num_heads: int = 8,
        ffn_channels: int = 2048,
        dropout: float = 0.1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        layers = [self.build_layer(channels, num_heads, ffn_channels, dropout) for _ in range(num_layers)]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(channels)

    def build_layer(self, channels: int, num_heads: int, ffn_channels: int, dropout: float) -> nn.Module:
        """Makes one layer; other decoders put theirs here."""
        return PlainDecoderLayer(channels, num_heads, ffn_channels, dropout)

    def init_weights(self) -> None:
        """Xavier's uniform for every matrix, as DETR and MaskFormer do."""
        super().init_weights()
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(
        self,
        content: Tensor,
        position: Tensor,
        memory: Sequence[MemoryLevel],
        categories: Categories,
        masks_of: MasksOf,
    ) -> tuple[Tensor, Tensor]:
        """Decodes the queries.

        Args:
            content: ``[B * S, N, C]`` where the queries start, for B images in S label spaces each.
            position: ``[B * S, N, C]`` their positions, added before every attention.
            memory: Image features, coarse first; this decoder reads the first level.
            categories: What the B * S samples may be classified as.
            masks_of: Makes mask logits of decoded queries, see :data:`MasksOf`.

        Returns:
            Decoded queries, normalised, and their mask logits, one entry a layer.
        """
        image = ImageMemory.of(memory[0])
        decoded = []
        for layer in self.layers:
            content = layer(content, position, image, categories)
            decoded.append(self.norm(content))
        hidden = torch.stack(decoded)
        return hidden, masks_of(hidden)
