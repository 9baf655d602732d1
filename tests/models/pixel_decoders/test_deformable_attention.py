"""Sampling against grid_sample, its gradients, and what a point outside of its level gives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmlmseg.models.pixel_decoders.canvas import Canvas
from mmlmseg.models.pixel_decoders.deformable_attention import DeformableAttention, gathered, sample

SIZES, HEADS, POINTS, CHANNELS = [(2, 3), (5, 4)], 2, 3, 6
PIXELS = sum(h * w for h, w in SIZES)
CPU = torch.device('cpu')


def canvas(images: int = 1) -> Canvas:
    return Canvas.of(SIZES, images, HEADS, POINTS, CPU)


def inputs(spread: float = 2.0, images: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Values, offsets and attention; the farthest points lie well outside of their level."""
    points = HEADS * len(SIZES) * POINTS
    x, y = spread * torch.randn(2, images, PIXELS, points, dtype=torch.float64)
    attention = torch.rand(images, PIXELS, points, dtype=torch.float64)
    given = (torch.randn(images, PIXELS, CHANNELS, dtype=torch.float64), x, y, attention)
    return tuple(tensor.requires_grad_() for tensor in given)


def by_grid_sample(values: Tensor, x: Tensor, y: Tensor, attention: Tensor) -> Tensor:
    """Level by level and head by head, from the positions' places in [0, 1]."""
    places = torch.cat(
        [
            torch.stack(torch.meshgrid((torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w, indexing='ij'), -1)
            .flip(-1)
            .flatten(0, 1)
            for h, w in SIZES
        ]
    )  # [Q, 2]
    x, y, attention = (part.unflatten(-1, (HEADS, len(SIZES), POINTS)) for part in (x, y, attention))
    total = torch.zeros(())
    for level, ((h, w), own) in enumerate(zip(SIZES, values.split([h * w for h, w in SIZES], 1), strict=True)):
        maps = own.transpose(1, 2).unflatten(1, (HEADS, -1)).unflatten(-1, (h, w)).flatten(0, 1)
        offsets = torch.stack([x[..., level, :] / w, y[..., level, :] / h], -1)  # [B, Q, h, P, 2]
        grid = 2 * (places[None, :, None, None] + offsets) - 1
        read = F.grid_sample(maps, grid.transpose(1, 2).flatten(0, 1).to(maps.dtype), align_corners=False)
        weight = attention[..., level, :].transpose(1, 2).flatten(0, 1)[:, None]  # [B * h, 1, Q, P]
        total = total + (read * weight).sum(-1)
    return total.unflatten(0, (-1, HEADS)).flatten(1, 2).transpose(1, 2)


@pytest.mark.parametrize('spread', [0.3, 3.0, 30.0])
@pytest.mark.parametrize('images', [1, 2])
def test_equals_grid_sample(spread: float, images: int) -> None:
    given = inputs(spread)
    grad = torch.randn(2, PIXELS, CHANNELS, dtype=torch.float64)
    expected = by_grid_sample(*given)
    gradients = torch.autograd.grad(expected, given, grad)
    for way in (sample, gathered):
        if way is gathered and images == 1:
            continue  # it takes all images at once
        got = way(*given, canvas(images))
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)  # places are float32
        for ours, theirs in zip(torch.autograd.grad(got, given, grad), gradients, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_both_ways_are_one() -> None:
    given = inputs()
    ways = [way(*given, canvas(2)) for way in (sample, gathered)]
    torch.testing.assert_close(*ways, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(out.square().sum(), given) for out in ways]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


def test_passes_gradcheck() -> None:
    given = inputs(images=1)
    assert torch.autograd.gradcheck(lambda *parts: sample(*parts, canvas()), given, fast_mode=True)


def test_points_that_are_no_number_are_in_bounds() -> None:
    values, x, y, attention = inputs()
    for wrong in (torch.nan, torch.inf, -torch.inf):
        broken = x.detach().clone()
        broken[0, 3] = wrong
        got = sample(values, broken, y, attention, canvas())
        assert got.isfinite().all()
        torch.testing.assert_close(got[1], sample(values, x, y, attention, canvas())[1])


def test_precision_is_that_of_the_values_and_sums_are_float32() -> None:
    exact = inputs()
    half = [tensor.detach().bfloat16().requires_grad_() for tensor in exact[:3]]
    lifted = [tensor.detach().double() for tensor in half]
    got = sample(*half, exact[3].float(), canvas())
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.double(), sample(*lifted, exact[3], canvas()), rtol=5e-3, atol=5e-3)
    got.sum().backward()
    assert [tensor.grad.dtype for tensor in half] == [torch.bfloat16] * 3


def test_a_trace_is_made_of_plain_operators() -> None:
    module = DeformableAttention(CHANNELS, HEADS, len(SIZES), POINTS).eval()
    module.init_weights()
    module.requires_grad_(False)  # a trace keeps weights as constants
    features, position = torch.randn(1, PIXELS, CHANNELS), torch.randn(1, PIXELS, CHANNELS)
    traced = torch.jit.trace(lambda f, p: module(f, p, canvas()), (features, position), check_trace=False)
    assert 'embedding_bag' not in str(traced.graph)
    assert 'grid_sampler' not in str(traced.graph)
    torch.testing.assert_close(traced(features, position), module(features, position, canvas()))
