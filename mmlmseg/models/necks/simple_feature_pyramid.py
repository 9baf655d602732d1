"""A pyramid of one map, as ViTDet makes it of the last map of a plain vision transformer."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import OptionError
from ...registry import MODELS

Scale = float
_SCALES: tuple[Scale, ...] = (4, 2, 1, 0.5)


@MODELS.register_module()
class SimpleFeaturePyramid(BaseModule):
    """Maps of several scales, each made of the last map of a backbone (Li et al., *Exploring Plain Vision Transformer
    Backbones for Object Detection*, ECCV 2022).

    A map of stride 16 gives strides 4, 8, 16 and 32, one of stride 14 gives 3.5, 7, 14 and 28. Finer maps come of
    transposed convolutions, a coarser one of maximum pooling; then a 1x1 and a 3x3 convolution, each normalised at each
    place over the channels, so that images do not depend on each other.

    Args:
        in_channels: Of the backbone's last map.
        out_channels: Of each map of the pyramid.
        scales: How fine each is beside the backbone's map: 4, 2, 1 or 0.5, fine first.
        init_cfg: See mmengine's BaseModule.

    Raises:
        OptionError: On another scale, or another order.

    Example:
        >>> import torch
        >>> pyramid = SimpleFeaturePyramid(in_channels=64, out_channels=32)
        >>> [tuple(map.shape) for map in pyramid([torch.zeros(1, 64, 4, 6)])]
        [(1, 32, 16, 24), (1, 32, 8, 12), (1, 32, 4, 6), (1, 32, 2, 3)]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 256,
        scales: Sequence[Scale] = _SCALES,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not scales or list(scales) != [scale for scale in _SCALES if scale in scales]:
            raise OptionError(
                f'neck.scales = {list(scales)}: choose from {", ".join(map(str, _SCALES))}, each once, fine first'
            )
        if isinstance(in_channels, Sequence):
            raise OptionError(
                f'neck.in_channels = {list(in_channels)}: the pyramid is made of the last map of the backbone; give '
                'its channels, one number'
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.levels = nn.ModuleList(_level(in_channels, out_channels, scale) for scale in scales)

    def forward(self, maps: Sequence[Tensor] | Tensor) -> tuple[Tensor, ...]:
        """Maps ``[B, C, h, w]``, of which the last is read, to ``[B, out_channels, scale * h, scale * w]``."""
        last = maps if isinstance(maps, Tensor) else maps[-1]
        if last.shape[1] != self.in_channels:
            raise OptionError(
                f'neck.in_channels = {self.in_channels}, but the last map of the backbone has {last.shape[1]} channels'
            )
        return tuple(level(last) for level in self.levels)


def _level(channels: int, out_channels: int, scale: Scale) -> nn.Sequential:
    from timm.layers import LayerNorm2d

    def halved(width: int) -> nn.Module:
        return nn.ConvTranspose2d(width, width // 2, kernel_size=2, stride=2)

    resize: list[nn.Module] = []
    width = channels
    if scale == 4:
        resize, width = [halved(channels), LayerNorm2d(channels // 2), nn.GELU(), halved(channels // 2)], channels // 4
    elif scale == 2:
        resize, width = [halved(channels)], channels // 2
    elif scale == 0.5:
        resize = [nn.MaxPool2d(kernel_size=2)]
    return nn.Sequential(
        *resize,
        nn.Conv2d(width, out_channels, kernel_size=1, bias=False),
        LayerNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
        LayerNorm2d(out_channels),
    )
