from __future__ import annotations

import time
from collections import Counter
from itertools import islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mmengine.registry import DATA_SAMPLERS

from mmlmseg.datasets import DatasetPerRankSampler, PerImageSampler, SameDatasetSampler, samplers
from mmlmseg.datasets.samplers import dataset_probabilities
from mmlmseg.errors import DataError

BATCH = 4
ALL = [
    (PerImageSampler, {}),
    (SameDatasetSampler, dict(batch_size=BATCH)),
    (DatasetPerRankSampler, dict(batch_size=BATCH)),
]


class Datasets(SimpleNamespace):
    """As much of a MultiDataset as a sampler sees."""

    def __len__(self) -> int:
        return sum(self.sizes)


def datasets(*sizes: int) -> Datasets:
    return Datasets(sizes=list(sizes), names=[f'd{i}' for i in range(len(sizes))])


def origin(sizes: tuple[int, ...], index: int) -> int:
    return int(np.searchsorted(np.cumsum(sizes), index, side='right'))


@pytest.fixture
def in_rank(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A factory of samplers as a rank of several would build them."""

    def build(kind: type, rank: int, world_size: int, *args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(samplers, 'get_dist_info', lambda: (rank, world_size))
        return kind(*args, **kwargs)

    return build


@pytest.mark.parametrize(('kind', 'kwargs'), ALL)
@pytest.mark.parametrize(
    ('ratio', 'expected'), [('uniform', [1 / 3] * 3), ('size', [0.1, 0.2, 0.7]), ([1, 0, 3], None)]
)
def test_ratios_are_kept(kind: type, kwargs: dict[str, Any], ratio: Any, expected: list[float] | None) -> None:
    sizes = (10, 20, 70)
    sampler = kind(datasets(*sizes), ratio=ratio, seed=0, **kwargs)
    number = 4000 * (sampler.batch_size or 1)
    counts = Counter(origin(sizes, i) for i in islice(sampler, number))
    wanted = expected or [0.25, 0.0, 0.75]
    assert [counts[d] / number for d in range(3)] == pytest.approx(wanted, abs=0.035)


@pytest.mark.parametrize(('kind', 'kwargs'), ALL)
def test_each_dataset_comes_in_passes_without_replacement(kind: type, kwargs: dict[str, Any]) -> None:
    sizes = (8, 12)
    drawn = list(islice(kind(datasets(*sizes), seed=5, **kwargs), 400))
    for which, size in enumerate(sizes):
        own = [i for i in drawn if origin(sizes, i) == which]
        for start in range(0, len(own) - size, size):
            assert len(set(own[start : start + size])) == size


def test_more_datasets_than_slots() -> None:
    sizes = (3,) * 9
    sampler = PerImageSampler(datasets(*sizes), seed=0)
    counts = Counter(origin(sizes, i) for i in islice(sampler, 9000))
    assert sorted(counts) == list(range(9))
    assert min(counts.values()) > 850
    same = SameDatasetSampler(datasets(*sizes), batch_size=2, seed=0)
    assert len({origin(sizes, i) for i in islice(same, 400)}) == 9


@pytest.mark.parametrize(('kind', 'kwargs'), ALL)
@pytest.mark.parametrize('world_size', [1, 3])
def test_skipping_equals_consuming(kind: type, kwargs: dict[str, Any], world_size: int, in_rank: Any) -> None:
    rank = world_size - 1
    whole = list(islice(in_rank(kind, rank, world_size, datasets(5, 7), seed=2, **kwargs), 3 * 4096))
    for start in (0, 1, 13, 2 * 4096 + 5):
        sampler = in_rank(kind, rank, world_size, datasets(5, 7), seed=2, **kwargs)
        sampler.skip(start)
        assert list(islice(sampler, 50)) == whole[start : start + 50]
        assert list(islice(sampler, 50)) == whole[start : start + 50]  # iterating anew changes nothing
        sampler.skip(1)  # counted from the very start, not from here
        assert list(islice(sampler, 5)) == whole[1:6]
    with pytest.raises(ValueError, match='-1'):
        sampler.skip(-1)


@pytest.mark.parametrize(('kind', 'kwargs'), ALL[:2])
def test_processes_share_the_global_batches_of_one(kind: type, kwargs: dict[str, Any], in_rank: Any) -> None:
    data = datasets(5, 7, 11)
    own = [in_rank(kind, rank, 2, data, seed=1, **kwargs) for rank in range(2)]
    single = in_rank(kind, 0, 1, data, seed=1, **{key: 2 * value for key, value in kwargs.items()})
    shares = [list(islice(sampler, 50 * BATCH)) for sampler in own]
    whole = list(islice(single, 100 * BATCH))
    for step in range(50):
        mine = [share[step * BATCH : (step + 1) * BATCH] for share in shares]
        assert sorted(mine[0] + mine[1]) == sorted(whole[step * 2 * BATCH : (step + 1) * 2 * BATCH])


def test_one_dataset_per_step(in_rank: Any) -> None:
    sizes = (5, 7, 11)
    ranks = [in_rank(SameDatasetSampler, rank, 2, datasets(*sizes), batch_size=BATCH, seed=0) for rank in range(2)]
    steps = zip(*(islice(sampler, 80 * BATCH) for sampler in ranks), strict=True)
    origins = [{origin(sizes, i) for i in pair} for pair in steps]
    for start in range(0, len(origins), BATCH):
        assert len(set.union(*origins[start : start + BATCH])) == 1


def test_one_dataset_per_rank(in_rank: Any) -> None:
    sizes = (5, 7, 11)
    seen = []
    for rank in range(2):
        sampler = in_rank(DatasetPerRankSampler, rank, 2, datasets(*sizes), batch_size=BATCH, seed=0)
        steps = np.array([origin(sizes, i) for i in islice(sampler, 80 * BATCH)]).reshape(-1, BATCH)
        assert (steps == steps[:, :1]).all()
        seen.append(steps[:, 0])
    assert (seen[0] != seen[1]).mean() == pytest.approx(2 / 3, abs=0.2)  # ranks draw on their own


def test_seeds() -> None:
    first, again, other = (list(islice(PerImageSampler(datasets(50, 50), seed=s), 100)) for s in (0, 0, 1))
    assert first == again != other
    sampler = PerImageSampler(datasets(50, 50), seed=1)
    sampler.reseed(0)
    assert list(islice(sampler, 100)) == first


def test_skipping_a_whole_schedule_is_fast() -> None:
    sampler = PerImageSampler(datasets(*[1000] * 4), seed=0)
    sampler.skip(320_000 * 16)
    start = time.perf_counter()
    next(iter(sampler))
    assert time.perf_counter() - start < 5


def test_any_other_dataset_counts_as_one() -> None:
    sampler = DATA_SAMPLERS.build(dict(type='mmlmseg.PerImageSampler', dataset=list('abc'), seed=0))
    assert sorted(islice(sampler, 3)) == [0, 1, 2]
    assert len(sampler) == 3


def test_bad_batch_size() -> None:
    with pytest.raises(DataError, match='batch_size is 0'):
        SameDatasetSampler(datasets(3), batch_size=0)


SIZES, NAMES = [100, 400], ['street', 'facade']


@pytest.mark.parametrize(
    ('ratio', 'alpha', 'expected'),
    [
        ('uniform', 0.5, (0.5, 0.5)),
        ('size', 0.5, (0.2, 0.8)),
        ('power', 0.5, (1 / 3, 2 / 3)),
        ('power', 0.0, (0.5, 0.5)),
        ([3, 1], 0.5, (0.75, 0.25)),
        (dict(facade=1, street=0), 0.5, (0.0, 1.0)),
    ],
)
def test_ratios(ratio: Any, alpha: float, expected: tuple[float, ...]) -> None:
    assert dataset_probabilities(ratio, SIZES, NAMES, alpha) == pytest.approx(expected)


@pytest.mark.parametrize(
    ('ratio', 'message'),
    [
        ('unifrom', r"unknown ratio 'unifrom'.*Did you mean: uniform"),
        ([1], r'1 weights for 2 datasets \(street, facade\)'),
        ([1, -1], 'not negative'),
        ([0, 0], 'above 0'),
        ([1, float('nan')], 'finite'),
        (dict(street=1), 'no weight for facade'),
        (dict(street=1, facades=1), r"unknown dataset 'facades'.*Did you mean: facade"),
    ],
)
def test_bad_ratios(ratio: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        dataset_probabilities(ratio, SIZES, NAMES)
