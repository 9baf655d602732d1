"""The pixel decoder of Mask2Former: deformable attention over three levels, then a pyramid up to the finest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmcv.cnn.bricks.transformer import FFN
from mmcv.cnn.bricks.wrappers import Conv2d
from mmdet.models.layers import SinePositionalEncoding
from mmengine.model import BaseModule, caffe2_xavier_init, normal_init, xavier_init
from torch import Tensor, nn

from ...errors import OptionError
from ...registry import MODELS
from .canvas import Canvas
from .deformable_attention import DeformableAttention, leaves_pytorch


class DeformableEncoderLayer(BaseModule):
    """Deformable self-attention and feed-forward, each with residual and post-norm."""

    def __init__(self, channels: int, num_heads: int, num_levels: int, num_points: int, ffn_channels: int) -> None:
        super().__init__()
        self.self_attn = DeformableAttention(channels, num_heads, num_levels, num_points)
        # In place, on what a linear layer gives, the gradient would be copied twice.
        self.ffn = FFN(channels, ffn_channels, act_cfg=dict(type='ReLU', inplace=False))
        self.norms = nn.ModuleList([nn.LayerNorm(channels) for _ in range(2)])

    def forward(self, features: Tensor, position: Tensor, canvas: Canvas) -> Tensor:
        """``[B, Q, C]`` to ``[B, Q, C]``."""
        features = self.norms[0](features + self.self_attn(features, position, canvas))
        return self.norms[1](self.ffn(features))


class DeformableEncoder(nn.Module):
    """Layers, one after the other."""

    def __init__(self, layers: Sequence[DeformableEncoderLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, features: Tensor, position: Tensor, canvas: Canvas) -> Tensor:
        """``[B, Q, C]`` to ``[B, Q, C]``."""
        for layer in self.layers:
            features = layer(features, position, canvas)
        return features


@MODELS.register_module()
class DeformablePixelDecoder(BaseModule):
    """Equals ``mmdet.MSDeformAttnPixelDecoder`` in weights and outputs, without compiled operators.

    Args:
        in_channels: Channels of the backbone's maps, fine first; each has half the size of the one before.
        feat_channels: C, the width of the memory.
        out_channels: Width of the per-pixel embeddings.
        num_levels: Levels that attend to each other, and become memory; the finer ones are added to them.
        num_layers: Layers of attention.
        num_heads: Heads; must divide C.
        num_points: Points that a head reads in each level.
        ffn_channels: Hidden width of the feed-forward blocks.
        norm_cfg: Of the convolutions.
        init_cfg: See mmengine's BaseModule.

    Raises:
        OptionError: On more levels than there are maps, or heads that do not divide C.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        feat_channels: int = 256,
        out_channels: int = 256,
        num_levels: int = 3,
        num_layers: int = 6,
        num_heads: int = 8,
        num_points: int = 4,
        ffn_channels: int = 1024,
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not 1 <= num_levels <= len(in_channels) or feat_channels % num_heads:
            raise OptionError(
                'DeformablePixelDecoder needs num_levels of at most the number of backbone maps, and channels that '
                f'num_heads divides, got {num_levels} of {len(in_channels)} maps and {feat_channels} over {num_heads}'
            )
        norm_cfg = norm_cfg or dict(type='GN', num_groups=32)
        self.num_heads, self.num_points, self.num_levels = num_heads, num_points, num_levels
        coarse_first = list(in_channels)[::-1]

        def project(channels: int, bias: bool) -> ConvModule:
            return ConvModule(channels, feat_channels, 1, bias=bias, norm_cfg=norm_cfg, act_cfg=None)

        self.input_convs = nn.ModuleList([project(channels, bias=True) for channels in coarse_first[:num_levels]])
        self.position = SinePositionalEncoding(feat_channels // 2, normalize=True)
        layers = [
            DeformableEncoderLayer(feat_channels, num_heads, num_levels, num_points, ffn_channels)
            for _ in range(num_layers)
        ]
        self.encoder = DeformableEncoder(layers)
        self.level_encoding = nn.Embedding(num_levels, feat_channels)
        self.lateral_convs = nn.ModuleList([project(channels, bias=False) for channels in coarse_first[num_levels:]])
        self.output_convs = nn.ModuleList(
            ConvModule(feat_channels, feat_channels, 3, padding=1, bias=False, norm_cfg=norm_cfg)
            for _ in coarse_first[num_levels:]
        )
        self.mask_feature = Conv2d(feat_channels, out_channels, kernel_size=1)

    def init_weights(self) -> None:
        """As Mask2Former's."""
        for conv in self.input_convs:
            xavier_init(conv.conv, distribution='uniform')
        for lateral, output in zip(self.lateral_convs, self.output_convs, strict=True):
            caffe2_xavier_init(lateral.conv)
            caffe2_xavier_init(output.conv)
        caffe2_xavier_init(self.mask_feature)
        normal_init(self.level_encoding, mean=0, std=1)
        for parameter in self.encoder.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_normal_(parameter)
        for module in self.encoder.modules():
            if isinstance(module, DeformableAttention):
                module.init_weights()

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Decodes backbone maps.

        Args:
            feats: ``[B, C_i, h_i, w_i]``, fine first.

        Returns:
            Per-pixel embeddings ``[B, C_mask, h_0, w_0]``, and the memory ``[B, C, h_i, w_i]``, coarse first.
        """
        coarse_first = list(feats)[::-1]
        maps = [conv(own) for conv, own in zip(self.input_convs, coarse_first[: self.num_levels], strict=True)]
        memory = self._attend(maps)
        finest = memory[-1]
        finer = zip(self.lateral_convs, self.output_convs, coarse_first[self.num_levels :], strict=True)
        for lateral, output, own in finer:
            projected = lateral(own)
            upper = F.interpolate(finest, size=projected.shape[-2:], mode='bilinear', align_corners=False)
            finest = output(projected + upper)
        return self.mask_feature(finest), memory

    def _attend(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Deformable attention over maps ``[B, C, h_i, w_i]``."""
        sizes = [(own.shape[-2], own.shape[-1]) for own in maps]
        features = torch.cat([own.flatten(2).transpose(1, 2) for own in maps], 1)  # [B, Q, C]
        nowhere = [own.new_zeros(1, *size, dtype=torch.bool) for own, size in zip(maps, sizes, strict=True)]  # padding
        positions = [
            self.position(padding).flatten(2).transpose(1, 2) + level
            for padding, level in zip(nowhere, self.level_encoding.weight, strict=True)
        ]
        position = torch.cat(positions, 1).to(features.dtype)  # [1, Q, C]
        # On a CPU the work on one image at a time stays in the cache; a graph takes all at once.
        images = 1 if features.device.type == 'cpu' and not leaves_pytorch() else features.shape[0]
        canvas = Canvas.of(sizes, images, self.num_heads, self.num_points, features.device)
        levels = self.encoder(features, position, canvas).split([h * w for h, w in sizes], 1)
        return [own.transpose(1, 2).unflatten(2, size) for own, size in zip(levels, sizes, strict=True)]
