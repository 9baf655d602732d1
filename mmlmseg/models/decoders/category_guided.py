"""Category-guided decoding (LMSeg, section 3.4): queries also attend to the text rows of the sample's label space."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn

from ...errors import OptionError
from ...registry import MODELS
from ..structures import Categories
from .attention import Attention
from .plain import ImageMemory, PlainDecoder, PlainDecoderLayer

Order = Literal['visual-text', 'text-visual']


class CategoryGuidedLayer(PlainDecoderLayer):
    """Self-attention, cross-attention to image and text in the given order, feed-forward.

    Args: see :class:`PlainDecoderLayer`. ``project_keys_values`` is meant of both cross-attentions; ``order`` says
    which of image and text comes first (Table 5: ``visual-text`` is better).
    """

    def __init__(
        self, channels: int, num_heads: int, ffn_channels: int, dropout: float, order: Order, project_keys_values: bool
    ) -> None:
        super().__init__(channels, num_heads, ffn_channels, dropout, project_keys_values)
        self.text_attention = Attention(channels, num_heads, dropout, project_keys_values)
        self.text_first = order == 'text-visual'

    def attend_text(self, x: Tensor, position: Tensor, categories: Categories) -> Tensor:
        """Cross-attention of ``[B, N, C]`` to the text rows of the sample's space and the no-object row."""
        if categories.rows is None:
            raise OptionError('category-guided decoding needs text rows: give the head a text=dict(...)')
        rows = categories.rows.to(x.dtype)  # [B, K + 1, C]
        return self.text_attention(x, x + position, rows, rows, ~categories.valid[:, None])

    def forward(self, x: Tensor, position: Tensor, memory: ImageMemory, categories: Categories) -> Tensor:
        x = self.attend_self(x, position)
        if self.text_first:
            x = self.attend_text(x, position, categories)
        x = self.attend_image(x, position, memory)
        if not self.text_first:
            x = self.attend_text(x, position, categories)
        return self.feed_forward(x)


@MODELS.register_module()
class CategoryGuidedDecoder(PlainDecoder):
    """The decoder of LMSeg: :class:`PlainDecoder` with :class:`CategoryGuidedLayer` layers.

    Args:
        channels: C, the width of queries, memory and text rows.
        order: Which cross-attention comes first, ``visual-text`` or ``text-visual``.
        project_keys_values: False leaves the key and value projections out of both cross-attentions, as LMSeg's
            published code does.
        **kwargs: As :class:`PlainDecoder`.

    Raises:
        OptionError: On any other order.
    """

    def __init__(
        self, channels: int, order: Order = 'visual-text', project_keys_values: bool = True, **kwargs: Any
    ) -> None:
        if order not in ('visual-text', 'text-visual'):
            raise OptionError(f'order must be "visual-text" or "text-visual", got {order!r}')
        self.order: Order = order
        self.project_keys_values = project_keys_values
        super().__init__(channels, **kwargs)

    def build_layer(self, channels: int, num_heads: int, ffn_channels: int, dropout: float) -> nn.Module:
        return CategoryGuidedLayer(channels, num_heads, ffn_channels, dropout, self.order, self.project_keys_values)
