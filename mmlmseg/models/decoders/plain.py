"""The decoder of MaskFormer: queries see each other and the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import OptionError
from ...registry import MODELS
from ..structures import Categories, MemoryLevel
from .attention import Attention, FeedForward

MasksAt = Callable[[Tensor, tuple[int, int]], Tensor]
"""From decoded queries ``[B * S, N, C]`` and a size (h, w) to their mask logits there, ``[B * S, N, h, w]``, without
gradient."""


class ImageMemory(NamedTuple):
    """A level of the memory as cross-attention reads it: keys and values ``[B, h*w, C]``, padding ``[B, h*w]``."""

    key: Tensor
    value: Tensor
    padding: Tensor

    @classmethod
    def of(cls, level: MemoryLevel) -> ImageMemory:
        """Adds the position to the keys."""
        return cls(level.value + level.position, level.value, level.padding)


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
        images = memory.key.shape[0]
        placed = side_by_side(x + position, images)
        hidden = memory.padding[:, None] if hidden is None else hidden
        seen = self.image_attention(side_by_side(x, images), placed, memory.key, memory.value, hidden)
        return one_by_one(seen, x.shape[0])

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
        if num_layers < 1:
            raise OptionError(f'num_layers = {num_layers} of the decoder: it has at least one')
        if num_heads < 1 or channels % num_heads:
            raise OptionError(f'num_heads = {num_heads} of the decoder does not divide its {channels} channels')
        layers = [self.build_layer(channels, num_heads, ffn_channels, dropout) for _ in range(num_layers)]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(channels)

    def build_layer(self, channels: int, num_heads: int, ffn_channels: int, dropout: float) -> nn.Module:
        """Makes one layer; other decoders put theirs here."""
        return PlainDecoderLayer(channels, num_heads, ffn_channels, dropout)

    def init_weights(self) -> None:
        """Xavier's uniform for every matrix, as DETR and MaskFormer do; ``init_cfg`` has the last word."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        super().init_weights()

    def forward(
        self,
        content: Tensor,
        position: Tensor,
        memory: Sequence[MemoryLevel],
        categories: Categories,
        masks_at: MasksAt,
    ) -> Tensor:
        """Decodes the queries.

        Args:
            content: ``[B * S, N, C]`` where the queries start, for B images in S label spaces each.
            position: ``[B * S, N, C]`` their positions, added before every attention.
            memory: Image features, coarse first; this decoder reads the first level.
            categories: What the B * S samples may be classified as.
            masks_at: Makes mask logits of decoded queries, see :data:`MasksAt`; this decoder asks for none.

        Returns:
            Decoded queries, normalised, one entry a layer: ``[L, B * S, N, C]``.
        """
        image = ImageMemory.of(memory[0])
        decoded = []
        for layer in self.layers:
            content = layer(content, position, image, categories)
            decoded.append(self.norm(content))
        return torch.stack(decoded)
