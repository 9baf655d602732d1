"""Maps made window by window, against maps made at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmlmseg.models.postprocess import lazy_maps
from mmlmseg.models.postprocess.lazy_maps import LazyMaps, best

AXES = {None: [], 'horizontal': [2], 'vertical': [1], 'diagonal': [1, 2]}


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_maps, 'STRIP', 1)


def made(maps: LazyMaps) -> Tensor:
    """All rows, channels first."""
    strips = list(maps.strips())
    assert len(strips) == -(-maps.size[0] // lazy_maps.LEAST_ROWS)
    assert all(strip.shape[1] == maps.size[1] for _, strip in strips)
    return torch.cat([strip for _, strip in strips]).movedim(-1, 0)


def at_once(maps: Tensor, meta: dict[str, Any]) -> Tensor:
    height, width = meta['img_shape'][:2]
    content = maps[:, :height, :width].flip(AXES[meta.get('flip_direction')])
    return F.interpolate(content[None], size=meta['ori_shape'][:2], mode='bilinear', align_corners=False)[0]


@pytest.mark.parametrize('size', [(5, 7), (20, 28), (13, 40), (3, 2), (1, 1)])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_resizing_is_torchs(size: tuple[int, int], dtype: torch.dtype) -> None:
    maps = torch.randn(3, 5, 7, dtype=dtype)
    expected = F.interpolate(maps[None], size=size, mode='bilinear', align_corners=False)[0]
    torch.testing.assert_close(made(LazyMaps.of(maps, dtype).resize(size)), expected)


@pytest.mark.parametrize('direction', AXES)
@pytest.mark.parametrize('original', [(9, 13), (27, 31), (4, 5)])
def test_restores_the_original_image(direction: str | None, original: tuple[int, int]) -> None:
    maps = torch.randn(2, 4, 5, dtype=torch.float64)
    meta = dict(img_shape=(9, 13, 3), ori_shape=(*original, 3), flip=direction is not None, flip_direction=direction)
    full = F.interpolate(maps[None], size=(12, 16), mode='bilinear', align_corners=False)[0].sigmoid()
    got = LazyMaps.of(maps, torch.float64).resize((12, 16)).map(torch.Tensor.sigmoid_).restore(meta)
    torch.testing.assert_close(made(got), at_once(full, meta))


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_padding_goes_before_the_flip(direction: str) -> None:
    image = torch.rand(3, 5, 7)
    padded = F.pad(image.flip(AXES[direction]), (0, 4, 0, 2), value=9.0)
    meta = dict(img_shape=(5, 7), ori_shape=(5, 7), flip=True, flip_direction=direction)
    assert torch.equal(made(LazyMaps.of(padded, torch.float32).restore(meta)), image)


def test_an_unknown_flip_is_refused() -> None:
    meta = dict(img_shape=(2, 2), ori_shape=(2, 2), flip=True, flip_direction='sideways')
    with pytest.raises(ValueError, match=r"flip_direction 'sideways'.*horizontal"):
        LazyMaps.of(torch.rand(1, 2, 2), torch.float32).restore(meta)


def test_maps_are_joined_and_left_as_they_are() -> None:
    one, two = torch.rand(2, 5, 3), torch.rand(3, 5, 3).bfloat16()
    before = one.clone()
    joint = LazyMaps.joined([LazyMaps.of(maps, torch.float32) for maps in (one, two)])
    torch.testing.assert_close(made(joint.map(torch.Tensor.neg_)), -torch.cat([one, two.float()]))
    assert torch.equal(one, before)


def test_the_best_channel_is_the_first_of_equal_ones() -> None:
    scores = torch.randint(0, 3, (4, 5, 6)).float()
    expected = [[row.tolist().index(max(row.tolist())) for row in line] for line in scores]
    assert best(scores).tolist() == expected
