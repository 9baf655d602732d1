"""From backbone maps to what queries need: per-pixel embeddings, and memory with its padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.wrappers import Conv2d
from mmdet.models.layers import PixelDecoder, TransformerEncoderPixelDecoder
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...registry import MODELS
from ..structures import PixelFeatures

__all__ = ['PixelFeatureExtractor', 'padding_mask']


def padding_mask(metas: Sequence[dict[str, Any]], size: tuple[int, int], device: torch.device) -> Tensor:
    """Marks what of equally padded images is padding.

    Args:
        metas: With ``batch_input_shape`` (padded) and ``img_shape`` (content), each (height, width) in pixels.
        size: (h, w) of the mask, usually a feature map's.
        device: Where to make it.

    Returns:
        ``[B, h, w]`` bool, True where padding. A cell that covers any content at its centre is content, and the top
        left cell always is, so that attention has something to see.
    """
    height, width = metas[0]['batch_input_shape']
    content = torch.tensor([meta['img_shape'][:2] for meta in metas], device=device, dtype=torch.float32)  # [B, 2]
    centre_y = (torch.arange(size[0], device=device) + 0.5) * (height / size[0])
    centre_x = (torch.arange(size[1], device=device) + 0.5) * (width / size[1])
    outside_y = (centre_y >= content[:, :1]) & (centre_y > centre_y[0])  # [B, h]
    outside_x = (centre_x >= content[:, 1:]) & (centre_x > centre_x[0])  # [B, w]
    return outside_y[:, :, None] | outside_x[:, None, :]


class PixelFeatureExtractor(BaseModule):
    """An mmdet pixel decoder behind one interface.

    Args:
        pixel_decoder: Config of ``mmdet.PixelDecoder``, ``mmdet.TransformerEncoderPixelDecoder`` or
            ``mmdet.MSDeformAttnPixelDecoder``, without channels.
        in_channels: Channels of the backbone's maps, fine first.
        channels: C, the width of the memory.
        mask_channels: The width of the per-pixel embeddings.
        init_cfg: See mmengine's BaseModule.
    """

    def __init__(
        self,
        pixel_decoder: dict[str, Any],
        in_channels: Sequence[int],
        channels: int,
        mask_channels: int,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        widths = dict(in_channels=list(in_channels), feat_channels=channels, out_channels=mask_channels)
        self.pixel_decoder = MODELS.build(ConfigDict({**widths, **pixel_decoder}))  # mmdet reads attributes
        self.takes_metas = isinstance(self.pixel_decoder, PixelDecoder)  # the deformable one knows no padding
        # The plain pixel decoder hands the last backbone map through as it is (MaskFormer projects it as well).
        hands_through = self.takes_metas and not isinstance(self.pixel_decoder, TransformerEncoderPixelDecoder)
        self.project = Conv2d(in_channels[-1], channels, kernel_size=1) if hands_through else nn.Identity()

    def init_weights(self) -> None:
        """As the parts do; the projection as mmdet's heads do."""
        super().init_weights()
        if isinstance(self.project, nn.Conv2d) and self.project.bias is not None:
            nn.init.kaiming_uniform_(self.project.weight, a=1)
            nn.init.zeros_(self.project.bias)

    def forward(self, feats: Sequence[Tensor], metas: Sequence[dict[str, Any]]) -> PixelFeatures:
        """Decodes pixels.

        Args:
            feats: Backbone maps ``[B, C_i, h_i, w_i]``, fine first.
            metas: Metainfo of the samples, see :func:`padding_mask`.

        Returns:
            The features, memory coarse first.
        """
        mask, memory = self.pixel_decoder(feats, metas) if self.takes_metas else self.pixel_decoder(feats)
        levels = [self.project(level) for level in ([memory] if isinstance(memory, Tensor) else memory)]
        padding = [padding_mask(metas, (level.shape[-2], level.shape[-1]), level.device) for level in levels]
        return PixelFeatures(mask=mask, memory=levels, padding=padding)


class MaskEmbedding(nn.Module):
    """The three-layer perceptron from a decoded query to the filter that makes its mask (MaskFormer, LMSeg 3.2).

    Args:
        channels: C.
        mask_channels: The width of the per-pixel embeddings.
    """

    def __init__(self, channels: int, mask_channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(channels, c) for c in (channels, channels, mask_channels)])

    def forward(self, queries: Tensor, pixels: Tensor) -> Tensor:
        """``[L, B * S, N, C]`` and ``[B, C_mask, h, w]`` to mask logits ``[L, B * S, N, h, w]``."""
        for layer in self.layers[:-1]:
            queries = F.relu(layer(queries))
        filters = self.layers[-1](queries).unflatten(1, (len(pixels), -1))  # [L, B, S, N, C_mask]
        return torch.einsum('lbsnc,bchw->lbsnhw', filters, pixels).flatten(1, 2)
