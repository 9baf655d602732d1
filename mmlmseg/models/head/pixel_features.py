"""Any pixel decoder, mmdet's or ours, behind one interface: what masks are made of, and what queries read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn.bricks.wrappers import Conv2d
from mmdet.models.layers import PixelDecoder, SinePositionalEncoding, TransformerEncoderPixelDecoder
from mmengine.config import ConfigDict
from mmengine.model import BaseModule, caffe2_xavier_init, initialize
from torch import Tensor, nn

from ...registry import MODELS
from ..structures import MemoryLevel, PixelFeatures


def padding_mask(metas: Sequence[dict[str, Any]], size: tuple[int, int], device: torch.device) -> Tensor:
    """Marks what of equally padded images is padding.

    Args:
        metas: With ``batch_input_shape`` (padded) and ``img_shape`` (content), each (height, width) in pixels.
        size: (h, w) of the mask, usually a feature map's.
        device: Of the mask.

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
    """Any pixel decoder, mmdet's or ours, behind one interface.

    Args:
        pixel_decoder: Config of ``mmdet.PixelDecoder``, ``mmdet.TransformerEncoderPixelDecoder`` or
            ``mmlmseg.DeformablePixelDecoder``, without channels.
        in_channels: Channels of the backbone's maps, fine first.
        channels: C, the width of the memory.
        mask_channels: The width of the per-pixel embeddings.
    """

    def __init__(
        self, pixel_decoder: dict[str, Any], in_channels: Sequence[int], channels: int, mask_channels: int
    ) -> None:
        super().__init__()
        widths = dict(in_channels=list(in_channels), feat_channels=channels, out_channels=mask_channels)
        self.pixel_decoder = MODELS.build(ConfigDict({**widths, **pixel_decoder}))  # mmdet reads attributes
        self.memory_position = SinePositionalEncoding(channels // 2, normalize=True)
        self.takes_metas = isinstance(self.pixel_decoder, PixelDecoder)  # the deformable one knows no padding
        # The plain pixel decoder hands the last backbone map through as it is (MaskFormer projects it as well).
        hands_through = self.takes_metas and not isinstance(self.pixel_decoder, TransformerEncoderPixelDecoder)
        self.project = Conv2d(in_channels[-1], channels, kernel_size=1) if hands_through else nn.Identity()

    def init_weights(self) -> None:
        """Initialises the parts as they do themselves, and the projection as mmdet's heads do.

        mmdet's pixel decoders forget the coarsest levels, which MaskFormer starts as the others, and pixel decoders
        look at no ``init_cfg`` of their own.
        """
        super().init_weights()
        if isinstance(self.pixel_decoder, PixelDecoder):
            missed = [*self.pixel_decoder.lateral_convs[-1:], *self.pixel_decoder.output_convs[-1:]]  # none of one map
            for module in [*missed, getattr(self.pixel_decoder, 'last_feat_conv', None)]:
                if module is not None:
                    caffe2_xavier_init(module.conv)
        if self.pixel_decoder.init_cfg:
            initialize(self.pixel_decoder, self.pixel_decoder.init_cfg)
        if isinstance(self.project, nn.Conv2d) and self.project.bias is not None:
            nn.init.kaiming_uniform_(self.project.weight, a=1)
            nn.init.zeros_(self.project.bias)

    def forward(self, feats: Sequence[Tensor], metas: Sequence[dict[str, Any]]) -> PixelFeatures:
        """From backbone maps ``[B, C_i, h_i, w_i]``, fine first, and ``metas`` as :func:`padding_mask` reads them."""
        mask, memory = self.pixel_decoder(feats, metas) if self.takes_metas else self.pixel_decoder(feats)
        maps = [self.project(level) for level in ([memory] if isinstance(memory, Tensor) else memory)]
        return PixelFeatures(mask=mask, memory=[self._level(own, metas) for own in maps])

    def _level(self, features: Tensor, metas: Sequence[dict[str, Any]]) -> MemoryLevel:
        """Features ``[B, C, h, w]`` as queries read them."""
        size = (features.shape[-2], features.shape[-1])
        padding = padding_mask(metas, size, features.device)
        position = self.memory_position(padding).to(features.dtype)  # [B, C, h, w]
        return MemoryLevel(
            value=features.flatten(2).transpose(1, 2),
            position=position.flatten(2).transpose(1, 2),
            padding=padding.flatten(1),
            size=size,
        )
