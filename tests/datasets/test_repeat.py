"""Repeat factors, alone and in the samplers."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mmengine.dataset import ClassBalancedDataset

from mmlmseg.datasets import DatasetPerRankSampler, PerImageSampler, SameDatasetSampler, samplers
from mmlmseg.datasets.presence import Presence
from mmlmseg.datasets.repeat import repeat_factors, repeat_thresholds
from mmlmseg.datasets.streams import ShuffledPasses

SAMPLERS: list[tuple[type, dict[str, Any]]] = [
    (PerImageSampler, {}),
    (SameDatasetSampler, dict(batch_size=4)),
    (DatasetPerRankSampler, dict(batch_size=4)),
]


def presence(size: int = 60, classes: int = 8, seed: int = 0) -> Presence:
    """Classes from common to rare, one that no image holds, and images that hold none."""
    random = np.random.default_rng(seed)
    held = random.random((size, classes)) < 0.6 ** np.arange(1, classes + 1)
    held[:, -1] = held[0] = False
    held[1, -2] = True
    return Presence(tuple(map(str, range(classes))), tuple(tuple(row.nonzero()[0].tolist()) for row in held))


class Datasets(SimpleNamespace):
    """As much of a MultiDataset as a sampler sees."""

    def __len__(self) -> int:
        return sum(self.sizes)


def datasets(*presences: Presence) -> Datasets:
    names = [f'd{i}' for i in range(len(presences))]
    return Datasets(sizes=[len(own.images) for own in presences], names=names, presence=list(presences))


@pytest.mark.parametrize('threshold', [0.001, 0.1, 0.5, 1])
def test_factors_are_those_of_mmengine(threshold: float) -> None:
    counted = presence()

    class Listed:
        def get_cat_ids(self, i: int) -> list[int]:
            return list(counted.images[i]) or [-1]  # it knows no image without a class

        def __len__(self) -> int:
            return len(counted.images)

    stock: Any = ClassBalancedDataset.__new__(ClassBalancedDataset)
    stock.dataset = Listed()
    expected = stock._get_repeat_factors(stock.dataset, threshold)
    empty = [i for i, image in enumerate(counted.images) if not image]
    assert empty
    ours = repeat_factors(counted, threshold)
    assert (ours[empty] == 1).all()
    held = [i for i, image in enumerate(counted.images) if image]
    assert ours[held] == pytest.approx(np.array(expected)[held], rel=1e-12)


@pytest.mark.parametrize(
    ('repeat', 'expected'),
    [(None, [0, 0]), (0.1, [0.1, 0.1]), (1, [1, 1]), (dict(b=0.2), [0, 0.2]), (dict(a=0), [0, 0]), ({}, [0, 0])],
)
def test_thresholds_are_for_all_or_by_name(repeat: Any, expected: list[float]) -> None:
    assert repeat_thresholds(repeat, ['a', 'b']) == expected


def test_passes_draw_each_sample_as_often_as_its_factor_says() -> None:
    factors = np.array([1.0, 1.0, 1.4, 2.0, 3.25, 1.0])
    passes = ShuffledPasses(6, seed=3, stream=0, factors=factors)
    assert passes.length == 10  # 9.65, rounded up
    scaled = factors * 10 / 9.65
    number = 4000
    drawn = np.array([passes[n] for n in range(number * 10)]).reshape(number, 10)
    counts = np.stack([(drawn == i).sum(1) for i in range(6)], 1)  # [passes, samples]
    assert (counts >= np.floor(scaled)).all()
    assert (counts <= np.ceil(scaled)).all()
    assert counts.mean(0) == pytest.approx(scaled, abs=0.03)
    assert len({tuple(order) for order in drawn.tolist()}) > number / 2
    again = ShuffledPasses(6, seed=3, stream=0, factors=factors)
    assert [again[n] for n in (39999, 0, 12345)] == drawn.flat[[39999, 0, 12345]].tolist()


def test_factors_of_one_change_nothing() -> None:
    plain, ones = ShuffledPasses(9, 0, 1), ShuffledPasses(9, 0, 1, np.ones(9))
    assert [plain[n] for n in range(40)] == [ones[n] for n in range(40)]


@pytest.mark.parametrize(('kind', 'kwargs'), SAMPLERS)
def test_repeat_says_what_is_drawn_and_ratio_how_often(kind: type, kwargs: dict[str, Any]) -> None:
    joined = datasets(presence(60), presence(90, seed=1), presence(30, seed=2))
    sampler = kind(joined, ratio='size', repeat=dict(d0=0.5, d2=0.3), seed=0, **kwargs)
    number = 30000
    counts = Counter(map(int, islice(sampler, number)))
    images = np.array([counts[i] for i in range(180)])
    assert [part.sum() / number for part in np.split(images, [60, 150])] == pytest.approx(
        [1 / 3, 1 / 2, 1 / 6], abs=0.02
    )
    for first, size, which, threshold in ((0, 60, 0, 0.5), (60, 90, 1, 0.0), (150, 30, 2, 0.3)):
        factors = repeat_factors(joined.presence[which], threshold) if threshold else np.ones(size)
        own = images[first : first + size]
        assert own / own.sum() == pytest.approx(factors / factors.sum(), rel=0.15)


@pytest.mark.parametrize(('kind', 'kwargs'), SAMPLERS)
def test_the_order_follows_from_the_place_alone(kind: type, kwargs: dict[str, Any]) -> None:
    joined = datasets(presence(40), presence(20, seed=1))
    whole = list(islice(kind(joined, repeat=0.5, seed=4, **kwargs), 500))
    resumed = kind(joined, repeat=0.5, seed=4, **kwargs)
    resumed.skip(333)
    assert list(islice(resumed, 167)) == whole[333:]
    assert len({draw.key for draw in whole}) == len(whole)  # each draw of an image has transforms of its own
    assert max(Counter(whole).values()) > min(Counter(whole).values())


def test_a_step_does_not_depend_on_the_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = datasets(presence(40), presence(20, seed=1))
    alone = list(islice(PerImageSampler(joined, repeat=0.5, seed=4), 400))
    of_ranks = []
    for rank in range(2):
        monkeypatch.setattr(samplers, 'get_dist_info', lambda rank=rank: (rank, 2))
        of_ranks.append(list(islice(PerImageSampler(joined, repeat=0.5, seed=4), 200)))
    assert [draw for pair in zip(*of_ranks, strict=True) for draw in pair] == alone


@pytest.mark.parametrize(
    ('kind', 'kwargs', 'expected'),
    [
        (PerImageSampler, {}, [5, 15, 12, 3, 6, 16, 0, 13, 11, 9, 8, 2, 1, 7, 10, 13, 14, 8, 9, 15, 4, 4, 11, 3]),
        (
            SameDatasetSampler,
            dict(batch_size=4),
            [5, 12, 6, 13, 15, 16, 14, 15, 11, 9, 8, 7, 3, 0, 2, 1, 10, 13, 8, 9, 16, 14, 15, 14],
        ),
    ],
)
def test_without_repeat_the_order_is_what_it_was_before_there_was_any(
    kind: type, kwargs: dict[str, Any], expected: list[int]
) -> None:
    """Of a run that began with an older version; these numbers must never change."""
    joined = Datasets(sizes=[5, 9, 3], names=['a', 'b', 'c'])
    assert list(islice(kind(joined, ratio='size', seed=7, **kwargs), 24)) == expected
