"""Masked attention (Mask2Former, Cheng et al., CVPR 2022, section 3.2): queries read the image inside their masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import OptionError
from ...registry import MODELS
from ..structures import Categories, MemoryLevel
from .plain import ImageMemory, MasksAt, PlainDecoder, PlainDecoderLayer


class MaskedAttentionLayer(PlainDecoderLayer):
    """Attention to the image inside the masks, self-attention, feed-forward."""

    def forward(self, x: Tensor, position: Tensor, memory: ImageMemory, hidden: Tensor) -> Tensor:  # type: ignore[override]
        """One layer over ``[B * S, N, C]``; ``hidden`` ``[B, S * N, h*w]`` is True where a query must not look."""
        x = self.attend_image(x, position, memory, hidden)
        x = self.attend_self(x, position)
        return self.feed_forward(x)


@MODELS.register_module()
class MaskedAttentionDecoder(PlainDecoder):
    """The decoder of Mask2Former: layers read the levels of the memory in turns, each inside the masks before it.

    Predicts before the first layer too, so L is ``num_layers + 1``.

    Args:
        channels: C, the width of queries and memory.
        num_levels: Levels of the memory: 3 of a deformable pixel decoder, 1 of a plain one.
        num_layers: Nine in the paper.
        dropout: Everywhere in the layers; none in the paper.
        **kwargs: As :class:`PlainDecoder`.
    """

    def __init__(
        self, channels: int, num_levels: int = 3, num_layers: int = 9, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(channels, num_layers, dropout=dropout, **kwargs)
        self.level = nn.Embedding(num_levels, channels)

    def init_weights(self) -> None:
        """Xavier's uniform for every matrix; the level embedding is none and stays normal."""
        super().init_weights()
        if not self.init_cfg:
            nn.init.normal_(self.level.weight)

    def build_layer(self, channels: int, num_heads: int, ffn_channels: int, dropout: float) -> nn.Module:
        return MaskedAttentionLayer(channels, num_heads, ffn_channels, dropout)

    def forward(
        self,
        content: Tensor,
        position: Tensor,
        memory: Sequence[MemoryLevel],
        categories: Categories,
        masks_at: MasksAt,
    ) -> Tensor:
        """See :meth:`PlainDecoder.forward`; the categories play no part."""
        if len(memory) != len(self.level.weight):
            raise OptionError(
                f'the pixel decoder makes {len(memory)} levels of memory, the decoder reads {len(self.level.weight)}: '
                'set num_levels of mmlmseg.MaskedAttentionDecoder'
            )
        embedded = zip(memory, self.level.weight, strict=True)
        images = [ImageMemory.of(replace(level, value=level.value + own)) for level, own in embedded]
        decoded = [self.norm(content)]
        for i, layer in enumerate(self.layers):
            turn = i % len(memory)
            hidden = hidden_pixels(masks_at(decoded[-1], memory[turn].size), memory[turn])
            content = layer(content, position, images[turn], hidden)
            decoded.append(self.norm(content))
        return torch.stack(decoded)


@torch.no_grad()
def hidden_pixels(mask_logits: Tensor, level: MemoryLevel) -> Tensor:
    """Where queries must not look: outside their masks, and in padding. A query with an empty mask looks everywhere.

    Args:
        mask_logits: ``[B * S, N, h_l, w_l]``, at the size of the level.
        level: The memory that is read, of B images.

    Returns:
        bool ``[B, S * N, h_l * w_l]``; every query keeps a pixel to see.
    """
    outside = (mask_logits < 0).flatten(2)  # [B * S, N, h_l * w_l]
    outside = outside.unflatten(0, (level.value.shape[0], -1)).flatten(1, 2)  # [B, S * N, h_l * w_l]
    padding = level.padding[:, None]
    sees_nothing = (outside | padding).all(-1, keepdim=True)
    return padding | (outside & ~sees_nothing)
