"""Reading maps at points instead of all pixels, and where to put the points (Kirillov et al., PointRend, section 3.1).

A point is (x, y), both in [0, 1] of the padded image, so that it means the same place at any resolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..numerics import random_int16


def random_points(count: int, number: int, device: torch.device) -> Tensor:
    """Points drawn uniformly from torch's global generator, float32 [count, number, 2].

    On a CPU they are drawn by :func:`random_int16`: to 1 / 65536 of the image.
    """
    if device.type != 'cpu':
        return torch.rand(count, number, 2, device=device)
    return random_int16((count, number, 2)).float().add_(2**15 + 0.5).mul_(2**-16)


def sample_maps(maps: Tensor, points: Tensor) -> Tensor:
    """Reads real-valued maps between their pixels: bilinear, edges repeated, as all other resizing of mask logits.

    Returns:
        Values [M, C, P] of maps [M, C, h, w] at points [M, P, 2], differentiable by the maps.
    """
    grid = 2 * points.to(maps.dtype)[:, None] - 1  # [M, 1, P, 2]
    return F.grid_sample(maps, grid, mode='bilinear', padding_mode='border', align_corners=False)[:, :, 0]


def pixels_at(points: Tensor, height: int, width: int) -> Tensor:
    """The pixel that each point lies in, to read bool maps without a copy in floating point.

    Unlike Mask2Former, which blends the labels of neighbouring pixels, a point so has one label, and either counts or
    does not: nothing of an ignored pixel leaks over its edge.

    Returns:
        Place of the points [..., 2] in the flattened map, long [...].
    """
    x, y = points.unbind(-1)
    # A product may be rounded up to the far edge.
    rows, columns = (y * height).long().clamp_(max=height - 1), (x * width).long().clamp_(max=width - 1)
    return rows.mul_(width).add_(columns)


@torch.no_grad()
def uncertain_points(
    logits: Tensor, pixels: Tensor, sample: Tensor, number: int, oversample_ratio: float, importance_ratio: float
) -> Tensor:
    """Points mostly where a mask is undecided: the smallest ``|logit|`` of many random points, the rest uniform.

    Points that do not count come last whatever their logit: where nothing is ever learnt, masks stay undecided and
    would draw all points.

    Args:
        logits: Mask logits [M, h, w].
        pixels: Pixels that count, bool [B, H, W].
        sample: The sample of each mask, long [M].
        number: P, points of each mask.
        oversample_ratio: Random points to choose from, as a multiple of P, at least 1.
        importance_ratio: The share of P to choose, in [0, 1].

    Returns:
        Points [M, P, 2], the chosen ones first.
    """
    chosen = int(importance_ratio * number)
    candidates = random_points(len(logits), int(oversample_ratio * number), logits.device)  # [M, Q, 2]
    doubt = sample_maps(logits[:, None], candidates)[:, 0].abs_().neg_()  # [M, Q]
    counted = pixels.flatten(1)[sample].gather(1, pixels_at(candidates, *pixels.shape[1:]))  # [M, Q]
    doubt.masked_fill_(~counted, -torch.inf)
    best = doubt.topk(chosen, dim=1, sorted=False).indices[..., None].expand(-1, -1, 2)
    rest = random_points(len(logits), number - chosen, logits.device)
    return torch.cat([candidates.gather(1, best), rest], 1)
