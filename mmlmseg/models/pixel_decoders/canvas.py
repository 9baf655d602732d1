"""A pyramid of maps on one canvas, and where deformable attention reads it.

All levels lie below each other, two zeros around each. So a point is one number, the cell of its upper left pixel; the
other three lie at the same distance everywhere; and a point outside of its level reads zeros, without a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]

_MARGIN = 2


class Canvas(NamedTuple):
    """The geometry of sampling; Q positions (all pixels of all levels), h heads, P points of a head in all levels.

    Attributes:
        sizes: (height, width) of each level.
        width: Of the canvas, in cells.
        heads: h. Each head has a table of its own, whose rows are interleaved: row ``cell * h + head``.
        origin: Where each position lies in the level of each point, in its pixels: x and y, each ``[Q, h * P]``.
        limit: Coordinates beyond which nothing lies: x and y, each ``[h * P]``.
        start: The row of the first pixel of each point's level and head, int32 ``[B, 1, h * P]``.
    """

    sizes: tuple[Size, ...]
    width: int
    heads: int
    origin: Tensor
    limit: Tensor
    start: Tensor

    @classmethod
    def of(cls, sizes: Sequence[Size], images: int, heads: int, points: int, device: torch.device) -> Canvas:
        """The canvas of levels of some sizes, for equally many points of a head in each level."""
        width = max(w for _, w in sizes) + 2 * _MARGIN
        height = sum(h + 2 * _MARGIN for h, _ in sizes)
        tops = [sum(h + 2 * _MARGIN for h, _ in sizes[:level]) + _MARGIN for level in range(len(sizes))]
        extent = torch.tensor([size[::-1] for size in sizes], dtype=torch.float32, device=device).T  # [2, L] x, y
        places = torch.cat([_centres(size, device) for size in sizes], 1)  # [2, Q], in [0, 1]
        origin = places[..., None] * extent[:, None] - 0.5  # [2, Q, L]
        first = torch.tensor([top * width + _MARGIN for top in tops], device=device)  # [L]
        first = first + torch.arange(images, device=device)[:, None] * (height * width)  # [B, L]
        head = torch.arange(heads, device=device)[:, None, None]
        start = (first[:, None, :, None] * heads + head).expand(-1, -1, -1, points)  # [B, h, L, P / L]
        return cls(
            sizes=tuple(sizes),
            width=width,
            heads=heads,
            origin=_for_each_point(origin, heads, points),
            limit=_for_each_point(extent + 0.5, heads, points),
            start=start.flatten(1)[:, None].to(torch.int32),
        )

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """How many rows below a point's own its four pixels are: upper left, upper right, lower left, lower right."""
        return 0, self.heads, self.width * self.heads, (self.width + 1) * self.heads

    def lay_out(self, values: Tensor) -> Tensor:
        """From values ``[B, Q, C]`` to the table ``[B * cells * h, C / h]``, float32 or better."""
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        levels = values.split([h * w for h, w in self.sizes], 1)
        side = (_MARGIN, _MARGIN)
        padded = [
            F.pad(level.unflatten(1, size), (0, 0, _MARGIN, self.width - _MARGIN - size[1], *side))
            for level, size in zip(levels, self.sizes, strict=True)
        ]
        return torch.cat(padded, 1).view(-1, values.shape[-1] // self.heads)

    def take_up(self, table: Tensor) -> Tensor:
        """The inverse of :meth:`lay_out`, which is its transpose too."""
        cells = table.view(len(self.start), -1, self.width, table.shape[-1] * self.heads)  # [B, height, width, C]
        levels = cells.split([h + 2 * _MARGIN for h, _ in self.sizes], 1)
        inner = [
            level[:, _MARGIN : _MARGIN + h, _MARGIN : _MARGIN + w].flatten(1, 2)
            for level, (h, w) in zip(levels, self.sizes, strict=True)
        ]
        return torch.cat(inner, 1)

    def locate(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Finds points by their offsets from each position.

        Args:
            x: Offsets in pixels of the point's level, ``[B, Q, h * P]``. Not a number means the first pixel, so
                that nothing is read out of bounds; its attention is not a number either.
            y: The same downwards.

        Returns:
            The row of the upper left pixel, int32, and the shares of the right and of the lower pixels, ``[B, Q, h *
            P]`` each.
        """
        # Where a level is left by a pixel and a half, all four pixels are margin: no value, and no gradient.
        x = (x + self.origin[0]).nan_to_num_(0.0).clamp_(min=-1.5).minimum(self.limit[0])
        y = (y + self.origin[1]).nan_to_num_(0.0).clamp_(min=-1.5).minimum(self.limit[1])
        left, top = x.floor(), y.floor()
        right, lower = x.sub_(left), y.sub_(top)
        cells = top.mul_(self.width).add_(left).to(torch.int32)  # exact below 2^24 cells a level
        return torch.add(self.start, cells, alpha=self.heads), right, lower


def corner_weights(attention: Tensor, right: Tensor, lower: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What each of a point's four pixels weighs, in the order of :attr:`Canvas.corners`; ``[B, Q, h * P]`` each."""
    below = attention * lower
    above = attention - below
    upper_right, lower_right = above * right, below * right
    return above - upper_right, upper_right, below - lower_right, lower_right


def _centres(size: Size, device: torch.device) -> Tensor:
    """x and y of a map's pixels, ``[2, H * W]``, in [0, 1]."""
    rows, columns = ((torch.arange(n, dtype=torch.float32, device=device) + 0.5) / n for n in size)
    each = rows[:, None].expand(-1, size[1]).flatten()  # repeat_interleave keeps the size of the example in ONNX
    return torch.stack([columns.repeat(size[0]), each])


def _for_each_point(of_levels: Tensor, heads: int, points: int) -> Tensor:
    """``[..., L]`` to ``[..., h * L * points]``, head by head."""
    return of_levels[..., None, :, None].expand(*of_levels.shape[:-1], heads, -1, points).flatten(-3)
