"""From patches to pixels fine enough for masks."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ...errors import OptionError


class PatchUpscaling(nn.Sequential):
    """Doubles the resolution of patch maps some times: by a transposed and a depthwise convolution each, and a norm
    (EoMT, Kerssies et al., CVPR 2025, section 3.2).

    Args:
        channels: C of the patches.
        mask_channels: C_mask of the pixels, to which the first step goes.
        times: How often, at least once.

    Raises:
        OptionError: Where it is never.
    """

    def __init__(self, channels: int, mask_channels: int, times: int) -> None:
        if times < 1:
            raise OptionError(f'decode_head.upscaling = {times}: patches are doubled once at least before masks')
        widths = [channels, *[mask_channels] * times]
        super().__init__(*(_Doubling(*pair) for pair in pairwise(widths)))


class _Doubling(nn.Module):
    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(before, channels, kernel_size=2, stride=2)
        self.act = nn.GELU()
        self.smooth = nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels, bias=False)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C_before, h, w] -> [B, C, 2h, 2w]``."""
        x = self.smooth(self.act(self.up(x)))
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
