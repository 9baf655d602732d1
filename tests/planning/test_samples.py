from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from mmlmseg.planning.figures import Pixels
from mmlmseg.planning.samples import drawn_places, mean_pixels, named_sizes, parameters_of, pixels_of
from mmlmseg.segments import SegmentMap


def test_pixels_are_useful_ignored_or_padding(make_sample: Callable[..., dict[str, Any]]) -> None:
    sample = make_sample('street', size=(64, 64), content_shape=(32, 64))  # 4x4 pixels are not annotated
    sample['data_samples'].gt_sem_seg.data[:, 32:] = 255
    found = pixels_of(sample)
    assert (found.useful, found.padding) == ((32 * 64 - 16) / 64**2, 0.5)
    assert found.useful + found.ignored + found.padding == pytest.approx(1)


def test_a_pixel_is_useful_where_any_label_space_knows_it(make_sample: Callable[..., dict[str, Any]]) -> None:
    sample = make_sample('street', size=(16, 16))
    ids = torch.zeros(2, 16, 16, dtype=torch.int32)
    ids[0, :4], ids[1, :8] = 1, -1  # the second knows that nothing is there
    sample['data_samples'].gt_segments = SegmentMap(ids, torch.tensor([0]))
    assert pixels_of(sample) == Pixels(useful=0.5, ignored=0.5, padding=0.0)


def test_the_mean_of_samples() -> None:
    assert mean_pixels([Pixels(1.0, 0.0, 0.0), Pixels(0.5, 0.25, 0.25)]) == Pixels(0.75, 0.125, 0.125)


def test_draws_are_spread_over_their_dataset_and_come_again_where_it_is_small() -> None:
    draws = drawn_places([5, 3, 4], which=1, count=6)
    assert sorted(draws[:3]) == [5, 6, 7]
    assert draws[3:] == draws[:3]
    assert len({draw.key for draw in draws}) == 6  # with transforms of their own


class Joined(list):
    names, sizes = ('a', 'b', 'c'), (2, 3, 4)


@pytest.mark.parametrize(('length', 'sizes'), [(9, [2, 3, 4]), (4, [2, 2, 0])])
def test_a_loader_may_cut_its_datasets_off(length: int, sizes: list[int]) -> None:
    assert [*named_sizes(Joined(range(length))).values()] == sizes


def test_any_other_dataset_is_one() -> None:
    assert named_sizes([1, 2]) == dict(list=2)


def test_parameters_are_counted_once_and_by_part() -> None:
    head = nn.ModuleDict(dict(queries=nn.Linear(2, 3), scale=nn.ParameterList([nn.Parameter(torch.zeros(1))])))
    model = nn.ModuleDict(dict(backbone=nn.Linear(4, 4, bias=False), decode_head=head))
    model['again'] = model['backbone']
    model['backbone'].requires_grad_(False)
    found = parameters_of(model)
    assert found.parts == {'backbone': (16, 0), 'decode_head.queries': (9, 9), 'decode_head.scale': (1, 1)}
    assert (found.total, found.trained) == (26, 10)
