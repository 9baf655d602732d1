"""Bilinear resizing (``align_corners=False``) of many maps one after the other, and its gradient."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..numerics import at_least_float32

Size = tuple[int, int]


def interpolation_matrix(old: int, new: int, like: Tensor) -> Tensor:
    """The bilinear resize of one axis as a matrix ``[new, old]``."""
    identity = torch.eye(old, dtype=like.dtype, device=like.device)[None, None]
    return F.interpolate(identity, size=(new, old), mode='bilinear', align_corners=False)[0, 0]


class BilinearResize:
    """From maps ``[..., h, w]`` to ``[..., H, W]``, and gradients back.

    Columns are a matrix product. Rows are as well, unless H is a multiple of h, as it mostly is: then each row is a
    blend of two with weights that repeat, which on a CPU takes a seventh of the product's time.

    Resized maps and their gradients are float32 or better; the gradients of half-precision maps are in their precision,
    so the last product of :meth:`backward` is as well.

    Args:
        old: (h, w).
        new: (H, W).
        like: A tensor of the maps' type and device.
    """

    def __init__(self, old: Size, new: Size, like: Tensor) -> None:
        self.columns = interpolation_matrix(old[1], new[1], like)  # [W, w]
        self.factor = new[0] // old[0]
        self.rows = interpolation_matrix(old[0], new[0], like) if new[0] % old[0] else None  # [H, h]

    def forward(self, maps: Tensor, out: Tensor) -> Tensor:
        """Resizes ``maps`` into ``out``."""
        wide = at_least_float32(maps) @ at_least_float32(self.columns).T  # [..., h, W]
        if self.rows is not None:
            return torch.matmul(at_least_float32(self.rows), wide, out=out)
        by_phase = out.unflatten(-2, (-1, self.factor))  # [..., h, f, W]
        for phase, offset in enumerate(self._offsets()):
            rows = by_phase[..., phase, :]  # [..., h, W]
            if offset < 0:  # blends with the row above; the first has none
                torch.lerp(wide[..., 1:, :], wide[..., :-1, :], -offset, out=rows[..., 1:, :])
                rows[..., 0, :] = wide[..., 0, :]
            else:
                torch.lerp(wide[..., :-1, :], wide[..., 1:, :], offset, out=rows[..., :-1, :])
                rows[..., -1, :] = wide[..., -1, :]
        return out

    def backward(self, grads: Tensor) -> Tensor:
        """From gradients of the resized maps ``[..., H, W]`` to those of the maps."""
        if self.rows is not None:
            return self.rows.T @ (grads.to(self.rows.dtype) @ self.columns)
        by_phase = grads.unflatten(-2, (-1, self.factor))  # [..., h, f, W]
        wide = torch.zeros_like(by_phase[..., 0, :])
        for phase, offset in enumerate(self._offsets()):
            rows, share = by_phase[..., phase, :], abs(offset)
            wide.add_(rows, alpha=1 - share)
            if offset < 0:
                wide[..., :-1, :].add_(rows[..., 1:, :], alpha=share)
                wide[..., 0, :].add_(rows[..., 0, :], alpha=share)
            else:
                wide[..., 1:, :].add_(rows[..., :-1, :], alpha=share)
                wide[..., -1, :].add_(rows[..., -1, :], alpha=share)
        return wide.to(self.columns.dtype) @ self.columns

    def _offsets(self) -> list[float]:
        """Where each of the f new rows in an old one lies, from the middle of the old, in old rows."""
        return [(phase + 0.5) / self.factor - 0.5 for phase in range(self.factor)]
