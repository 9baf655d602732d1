"""A pyramid of one map: sizes, gradients, and images that do not depend on each other."""

from __future__ import annotations

import pytest
import torch

from mmlmseg.models.necks import SimpleFeaturePyramid


@pytest.mark.parametrize('patch', [14, 16])
def test_strides_are_a_quarter_to_twice_the_patch(patch: int) -> None:
    pyramid = SimpleFeaturePyramid(32, 16)
    last = torch.randn(2, 32, 6, 10)
    maps = pyramid([torch.randn(2, 8, 6, 10), last])  # of which it reads the last
    assert [tuple(own.shape) for own in maps] == [(2, 16, 24, 40), (2, 16, 12, 20), (2, 16, 6, 10), (2, 16, 3, 5)]
    assert [6 * patch / own.shape[-2] for own in maps] == [patch / 4, patch / 2, patch, 2 * patch]
    sum(own.square().mean() for own in maps).backward()
    assert [name for name, own in pyramid.named_parameters() if own.grad is None] == []
    for together, alone in zip(maps, pyramid(last[1:]), strict=True):
        torch.testing.assert_close(together[1:], alone)


def test_a_place_of_each_map_sees_its_own_surroundings() -> None:
    pyramid = SimpleFeaturePyramid(8, 8).eval()
    before, changed = torch.zeros(1, 8, 8, 8), torch.zeros(1, 8, 8, 8)
    changed[:, 0, 4, 6] = 5
    for one, other, scale in zip(pyramid(before), pyramid(changed), (4, 2, 1, 0.5)):
        rows, columns = (one - other).abs().sum((0, 1)).nonzero().T
        for places, cell in ((rows, 4), (columns, 6)):
            first, last = int(cell * scale), int((cell + 1) * scale - 1e-6)
            assert places.min() >= first - 1  # the last convolution sees a neighbour
            assert places.max() <= last + 1
            assert places.min() <= first <= places.max()


@pytest.mark.parametrize('scales', [(4,), (2, 1), (4, 0.5)])
def test_scales_are_chosen(scales: tuple[float, ...]) -> None:
    maps = SimpleFeaturePyramid(16, 8, scales)(torch.randn(1, 16, 4, 6))
    assert [own.shape[-1] for own in maps] == [int(6 * scale) for scale in scales]
