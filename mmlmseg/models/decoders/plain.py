"""The decoder of MaskFormer: queries see each other and the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...registry import MODELS
from ..structures import Categories, MemoryLevel
from .blocks import Attention, FeedForward, init_transformer, one_by_one, side_by_side

MasksOf = Callable[[Tensor], Tensor]


class PlainDecoderLayer(nn.Module):
    """Self-attention, attention to the image, feed-forward.

    Args:
        channels: C.
        num_heads: Heads of each attention.
        ffn_channels: Hidden width of the feed-forward block.
        dropout: Everywhere in the layer.
        project_keys_values: See :class:`Attention`; of the attention to the image.
    """

    def __init__(
        self, channels: int, num_heads: int, ffn_channels: int, dropout: float, project_keys_values: bool = True
    ) -> None:
        super().__init__()
        self.among_queries = Attention(channels, num_heads, dropout)
        self.visual = Attention(channels, num_heads, dropout, project_keys_values)
        self.feed_forward = FeedForward(channels, ffn_channels, dropout)

    def look_around(self, x: Tensor, position: Tensor) -> Tensor:
        """Self-attention over ``[B, N, C]``."""
        placed = x + position
        return self.among_queries(x, placed, placed, x)

    def look_at_image(
        self,
        x: Tensor,
        position: Tensor,
        key: Tensor,
        value: Tensor,
        padding: Tensor | None = None,
        hidden: Tensor | None = None,
    ) -> Tensor:
        """Attention of ``[B * S, N, C]`` to ``[B, h*w, C]``: all query sets of an image read it at once.

        Queries do not see each other here, so S sets together get what each would get alone.
        """
        images = len(key)
        placed = side_by_side(x + position, images)
        seen = self.visual(side_by_side(x, images), placed, key, value, padding, hidden)  # [B, S * N, C]
        return one_by_one(seen, len(x))

    def forward(
        self, x: Tensor, position: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, categories: Categories
    ) -> Tensor:
        """One layer over ``[B, N, C]``; the categories play no part."""
        x = self.look_around(x, position)
        x = self.look_at_image(x, position, key, value, padding)
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
        """Xavier's uniform for every matrix."""
        super().init_weights()
        init_transformer(self)

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
            masks_of: From decoded queries ``[L, B * S, N, C]`` to their mask logits ``[L, B * S, N, h, w]``.

        Returns:
            Decoded queries, normalised, and their mask logits, one entry a layer.
        """
        level = memory[0]
        key = level.value + level.position
        decoded = []
        for layer in self.layers:
            content = layer(content, position, key, level.value, level.padding, categories)
            decoded.append(self.norm(content))
        hidden = torch.stack(decoded)
        return hidden, masks_of(hidden)
