"""Resizing of mask maps and its gradient, against torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmlmseg.models.criterion.resize import BilinearResize

SIZES = [((3, 5), (12, 10)), ((1, 1), (4, 3)), ((5, 4), (7, 16)), ((8, 8), (8, 8)), ((6, 9), (18, 4)), ((9, 3), (4, 7))]


@pytest.mark.parametrize(('old', 'new'), SIZES)
def test_maps_and_gradients_are_those_of_torch(old: tuple[int, int], new: tuple[int, int]) -> None:
    maps = torch.randn(2, *old, dtype=torch.float64, requires_grad=True)
    grads = torch.randn(2, *new, dtype=torch.float64)
    expected = F.interpolate(maps[None], size=new, mode='bilinear', align_corners=False)[0]
    expected.backward(grads)
    resize = BilinearResize(old, new, maps.detach())
    torch.testing.assert_close(resize.forward(maps.detach(), out=torch.empty_like(grads)), expected.detach())
    torch.testing.assert_close(resize.backward(grads), maps.grad)
