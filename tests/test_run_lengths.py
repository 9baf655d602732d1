"""Run lengths against the masks that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from mmlmseg.run_lengths import Encoder, RunLengths, area, difference, intersection, shared_areas, union, window


def random_masks(number: int, size: tuple[int, int], seed: int = 0) -> torch.Tensor:
    """Masks of every density, among them an empty and a full one."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.linspace(0, 1, number)[:, None, None]
    return torch.rand(number, *size, generator=generator) < share


SIZES = [(7, 9), (1, 5), (5, 1), (1, 1)]


@pytest.mark.parametrize('size', SIZES)
def test_there_and_back(size: tuple[int, int]) -> None:
    masks = random_masks(12, size)
    runs = RunLengths.of_masks(masks)
    assert len(runs) == 12
    assert torch.equal(runs.to_masks(), masks)
    assert runs.areas().tolist() == masks.sum((1, 2)).tolist()
    assert all((np.diff(own) > 0).all() for own in runs.edges)
    assert torch.equal(runs.take([3, 3, 1]).to_masks(), masks[[3, 3, 1]])
    assert np.array_equal(np.stack(list(runs.one_by_one())), masks.numpy())


@pytest.mark.parametrize('step', [1, 2, 5])
def test_rows_may_come_a_few_at_a_time(step: int) -> None:
    masks = random_masks(6, (5, 4))
    encoder = Encoder((5, 4), 6)
    for first in range(0, 5, step):
        encoder.add(first, masks[:, first : first + step].movedim(0, -1))
    for own, expected in zip(encoder.finish().edges, RunLengths.of_masks(masks).edges, strict=True):
        assert own.tolist() == expected.tolist()


def test_no_mask_at_all() -> None:
    assert RunLengths.of_masks(torch.zeros(0, 3, 4, dtype=torch.bool)).to_masks().shape == (0, 3, 4)


@pytest.mark.parametrize('size', SIZES)
def test_segments_of_a_map(size: tuple[int, int]) -> None:
    ids = torch.randint(-1, 5, size, generator=torch.Generator().manual_seed(0))
    runs = RunLengths.of_map(ids, 6)
    assert torch.equal(runs.to_masks(), torch.stack([ids == i for i in range(1, 7)]))
    assert torch.equal(runs.painted(), ids.clamp(min=0).int())


def test_masks_of_a_window() -> None:
    masks = random_masks(9, (4, 5))
    for size, top, left in (((6, 8), 1, 2), ((4, 5), 0, 0), ((9, 5), 5, 0)):
        whole = torch.zeros(9, *size, dtype=torch.bool)
        whole[:, top : top + 4, left : left + 5] = masks
        runs = RunLengths.of_masks(masks).placed(size, top, left)
        assert torch.equal(runs.to_masks(), whole)
        for own, expected in zip(runs.edges, RunLengths.of_masks(whole).edges, strict=True):
            assert own.tolist() == expected.tolist()
    only = torch.zeros(6, 8, dtype=torch.bool)
    only[2:5, 3:8] = True
    assert RunLengths.of_masks(only[None]).edges[0].tolist() == window((6, 8), range(2, 5), range(3, 8)).tolist()


@pytest.mark.parametrize('seed', range(5))
def test_sets(seed: int) -> None:
    masks = random_masks(8, (6, 7), seed)
    runs = RunLengths.of_masks(masks)
    for i, own in enumerate(runs.edges):
        assert shared_areas(runs.edges, own).tolist() == (masks & masks[i]).sum((1, 2)).tolist()
        for j, other in enumerate(runs.edges):
            for got, expected in (
                (difference(own, other), masks[i] & ~masks[j]),
                (intersection(own, other), masks[i] & masks[j]),
                (union([own, other]), masks[i] | masks[j]),
                (union([own, other, runs.edges[3]]), masks[i] | masks[j] | masks[3]),
            ):
                assert got.tolist() == RunLengths.of_masks(expected[None]).edges[0].tolist()
    assert area(union([])) == 0


def test_cocos_run_lengths() -> None:
    masks = random_masks(5, (6, 7))
    for mask, runs in zip(masks, RunLengths.of_masks(masks).to_coco(), strict=True):
        assert runs['size'] == [6, 7]
        assert np.array_equal(coco_mask.decode(runs), mask.numpy())


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
def test_on_cuda() -> None:
    masks = random_masks(12, (7, 9))
    assert torch.equal(RunLengths.of_masks(masks.cuda()).to_masks(), masks)
