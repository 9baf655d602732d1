"""Multi-scale deformable attention (Zhu et al., Deformable DETR, ICLR 2021) that is fast without compiled operators."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule, constant_init, xavier_init
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..numerics import no_autocast
from .canvas import Canvas, corner_weights


class DeformableAttention(BaseModule):
    """Each position reads a few points of each level, around itself.

    Parameters are named as those of mmcv's ``MultiScaleDeformableAttention``, and outputs are the same.

    Args:
        channels: C.
        num_heads: Heads; must divide C.
        num_levels: Levels of the pyramid.
        num_points: Points of a head in each level.
    """

    def __init__(self, channels: int, num_heads: int, num_levels: int, num_points: int) -> None:
        super().__init__()
        self.num_heads, self.num_levels, self.num_points = num_heads, num_levels, num_points
        points = num_heads * num_levels * num_points
        self.sampling_offsets = nn.Linear(channels, points * 2)
        self.attention_weights = nn.Linear(channels, points)
        self.value_proj = nn.Linear(channels, channels)
        self.output_proj = nn.Linear(channels, channels)

    def init_weights(self) -> None:
        """The points start 1, 2, ... pixels away, in a direction of each head, and weigh the same."""
        angles = torch.arange(self.num_heads) * (2.0 * math.pi / self.num_heads)
        directions = torch.stack([angles.cos(), angles.sin()], -1)  # [h, 2]
        directions = directions / directions.abs().amax(-1, keepdim=True)
        steps = 1.0 + torch.arange(self.num_points)[:, None]
        offsets = (directions[:, None, None] * steps).expand(-1, self.num_levels, -1, -1)  # [h, L, P, 2]
        nn.init.zeros_(self.sampling_offsets.weight)
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(offsets.flatten())
        constant_init(self.attention_weights, 0.0)
        xavier_init(self.value_proj, distribution='uniform')
        xavier_init(self.output_proj, distribution='uniform')

    def forward(self, features: Tensor, position: Tensor, canvas: Canvas) -> Tensor:
        """``[B, Q, C]`` from features ``[B, Q, C]`` with positions ``[1, Q, C]``; without the residual."""
        query = features + position
        weight, bias = self.sampling_offsets.weight, self.sampling_offsets.bias
        x, y = (F.linear(query, weight[axis::2], bias[axis::2]) for axis in range(2))  # [B, Q, h * P] each
        logits = self.attention_weights(query).unflatten(-1, (self.num_heads, -1))  # [B, Q, h, P]
        with no_autocast(features):
            attention = logits.softmax(-1, torch.promote_types(logits.dtype, torch.float32)).flatten(2)
        return self.output_proj(sample(self.value_proj(features), x, y, attention, canvas))


def sample(values: Tensor, x: Tensor, y: Tensor, attention: Tensor, canvas: Canvas) -> Tensor:
    """Reads the pyramid at the points of each position and head, and sums by attention. Bilinear, zeros outside.

    Args:
        values: ``[B, Q, C]`` of all pixels of all levels.
        x: Offsets of the points in pixels of their level, ``[B, Q, h * P]``.
        y: The same downwards.
        attention: ``[B, Q, h * P]``, float32 or better.
        canvas: Of one image, or of all B.

    Returns:
        ``[B, Q, C]`` in the precision of the values.
    """
    if leaves_pytorch():
        return gathered(values, x, y, attention, canvas)
    images = len(canvas.start)  # at a time
    parts = zip(*(part.split(images) for part in (values, x, y, attention)), strict=True)
    return torch.cat([_Sample.apply(*part, canvas) for part in parts])


def leaves_pytorch() -> bool:
    """Whether a graph is being made that others than PyTorch run."""
    return torch.jit.is_tracing() or torch.compiler.is_exporting()


def gathered(values: Tensor, x: Tensor, y: Tensor, attention: Tensor, canvas: Canvas) -> Tensor:
    """:func:`sample` in plain operators, for graphs that leave PyTorch; every value that is read is a tensor's."""
    table = canvas.lay_out(values)
    row, right, lower = canvas.locate(x, y)
    row = row.unflatten(-1, (canvas.heads, -1))  # [B, Q, h, P]
    total = torch.zeros((), device=values.device)
    for corner, weight in zip(canvas.corners, corner_weights(attention, right, lower), strict=True):
        read = F.embedding(row + corner, table)  # [B, Q, h, P, C / h]; indexed, ONNX would want longs
        total = total + (read * weight.view_as(row)[..., None]).sum(-2)
    return total.flatten(2).to(values.dtype)


class _Sample(torch.autograd.Function):
    """The values that points read, many times those of the canvas, are never a tensor.

    A sum of weighted rows of a table is what ``embedding_bag`` computes, once for each of the four pixels of a point.
    The gradient of the table is one as well: rows are positions then, and the points of a cell are sorted together.
    Kept for the backward pass are the inputs; cells and weights are made anew. On two cores, for two images of 512x512
    and R50's three levels, a layer takes 12 ms forwards and 80 ms backwards; ``grid_sample`` 160 and 180 ms.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, x: Tensor, y: Tensor, attention: Tensor, canvas: Canvas) -> Tensor:
        ctx.save_for_backward(values, x, y, attention)
        ctx.canvas = canvas
        table = canvas.lay_out(values)
        row, right, lower = canvas.locate(x, y)
        bags = row.view(-1, row.shape[-1] // canvas.heads)  # [B * Q * h, P]
        total = table.new_zeros(len(bags), table.shape[-1])
        for corner, weight in zip(canvas.corners, corner_weights(attention, right, lower), strict=True):
            total += F.embedding_bag(bags, table[corner:], mode='sum', per_sample_weights=weight.view_as(bags))
        return total.view(values.shape).to(values.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        values, x, y, attention = ctx.saved_tensors
        canvas: Canvas = ctx.canvas
        table = canvas.lay_out(values)
        row, right, lower = canvas.locate(x, y)
        grad = grad.to(table.dtype).reshape(-1, table.shape[-1])  # [B * Q * h, C / h]
        points = row.shape[-1] // canvas.heads
        row = row.flatten()
        bag = torch.arange(len(grad), dtype=row.dtype, device=row.device).repeat_interleave(points)  # of each point
        starts = torch.arange(0, len(row), points, dtype=row.dtype, device=row.device)

        # What each of its four pixels gives to a point's gradient.
        upper_left, upper_right, lower_left, lower_right = (
            torch.ops.aten._embedding_bag_per_sample_weights_backward(
                grad, table[corner:], row, starts, bag, 0
            ).view_as(right)
            for corner in canvas.corners
        )
        above, below = upper_left.lerp(upper_right, right), lower_left.lerp(lower_right, right)
        attention_grad = above.lerp(below, lower)
        y_grad = below.sub_(above).mul_(attention)
        x_grad = upper_right.sub_(upper_left).lerp_(lower_right.sub_(lower_left), lower).mul_(attention)

        row, order = row.sort()
        bag = bag[order]
        starts = torch.searchsorted(row, torch.arange(len(table), dtype=row.dtype, device=row.device), out_int32=True)
        table_grad = torch.zeros_like(table)
        for corner, weight in zip(canvas.corners, corner_weights(attention, right, lower), strict=True):
            weight = weight.flatten()[order]
            of_rows = F.embedding_bag(bag, grad, starts, mode='sum', per_sample_weights=weight)
            table_grad[corner:] += of_rows[: len(table) - corner]
        values_grad = canvas.take_up(table_grad).to(values.dtype)
        return values_grad, x_grad.to(x.dtype), y_grad.to(y.dtype), attention_grad, None
