"""Paired differences of IoU, class by class, against brute force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmlmseg.errors import DataError
from mmlmseg.gains.counts import ImageCounts, read_counts, save_counts
from mmlmseg.gains.differences import Difference, decided, differences

CLASSES = ('sky', 'road', 'cow', 'nowhere')


def counts(seed: int, better: float = 0.0) -> ImageCounts:
    """Twelve images; cows in three of them; nothing of the last class."""
    random = np.random.default_rng(seed)
    true = np.random.default_rng(0).integers(50, 100, (12, 4))
    true[3:, 2] = 0
    true[:, 3] = 0
    both = np.floor(true * (0.4 + better + 0.1 * random.random((12, 4)))).astype(int)
    found = both + random.integers(0, 5, (12, 4)) * (true > 0)
    images = tuple(f'{i}.png' for i in range(12))
    return ImageCounts('street', 'street', CLASSES, images, torch.from_numpy(np.stack([both, found, true], -1)))


def test_equals_brute_force() -> None:
    joint, single = counts(1, better=0.02), counts(2)
    found = differences(joint, single, resamples=300)
    assert [own.name for own in found] == ['sky', 'road', 'cow']
    drawn = np.random.default_rng(12).integers(0, 12, (300, 12))
    for k, own in enumerate(found):
        apart = []
        for draw in drawn:
            values = []
            for model in (joint, single):
                both, pixels, true = (sum(int(model.areas[i, k, c]) for i in draw) for c in range(3))
                values.append(100 * both / (pixels + true - both) if true else np.nan)
            if not np.isnan(values).any():
                apart.append(values[0] - values[1])
        assert (own.low, own.high) == pytest.approx(tuple(np.quantile(apart, [0.025, 0.975])))
        swaps = np.random.default_rng(13).integers(0, 2, (300, 12))
        as_large = 0
        for swap in swaps:
            sides = [[(joint, single)[s ^ side].areas[i, k].double() for i, s in enumerate(swap)] for side in (0, 1)]
            both = [torch.stack(side).sum(0) for side in sides]
            one, other = (float(a[0] / (a[1] + a[2] - a[0])) for a in both)
            as_large += abs(one - other) * 100 >= abs(own.gain) - 1e-9
        assert own.p == pytest.approx((1 + as_large) / 301)
    assert found[2].images == 3
    both, pixels, true = joint.areas[:, 0].sum(0).tolist()
    assert found[0].joint == pytest.approx(100 * both / (pixels + true - both))


def test_what_is_clear_is_decided_and_what_is_not_is_not() -> None:
    """Three images with cows are too few, however large the difference."""
    for models, verdict in ((counts(1, 0.3), counts(2)), 'helped'), ((counts(2), counts(1, 0.3)), 'hurt'):
        found = decided(differences(*models))
        assert [(own.name, own.verdict) for own in found] == [('sky', verdict), ('road', verdict), ('cow', 'undecided')]
    same = decided(differences(counts(1), counts(1)))
    assert {(own.verdict, own.p, own.gain) for own in same} == {('undecided', 1.0, 0.0)}


def test_a_class_of_one_image_is_never_decided() -> None:
    joint, single = counts(1, 0.3), counts(2)
    for own in (joint, single):
        own.areas[1:, 2] = 0
    (cow,) = (own for own in differences(joint, single) if own.name == 'cow')
    assert cow.images == 1
    assert cow.p > 0.3


def test_another_truth_is_refused() -> None:
    other = counts(2)
    other.areas[0, 0, 2] += 1
    with pytest.raises(DataError, match='street: the truth of the two models differs'):
        differences(counts(1), other)


def test_many_classes_are_judged_together() -> None:
    """The values of p of Benjamini and Hochberg's own example (1995, section 3.2.1), of which four are told at 5 %."""
    values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    values += [0.7590, 1.0]
    rows = [Difference('d', str(i), 1, 50.0, 40.0, 0.0, 1.0, p) for i, p in enumerate(values)]
    assert [own.name for own in decided(rows[::-1]) if own.verdict == 'helped'] == ['3', '2', '1', '0']
    assert decided([]) == []


@pytest.mark.parametrize('change', [dict(classes=('a', 'b', 'c', 'd')), dict(images=('x',))])
def test_other_data_is_refused(change: dict) -> None:
    with pytest.raises(DataError, match=f'street: the two models were counted on different {next(iter(change))}'):
        differences(counts(1), replace(counts(2), **change))


def test_counts_come_back(tmp_path: Path) -> None:
    own = counts(1)
    save_counts(tmp_path / 'a' / 'counts.npz', [own, replace(own, dataset='farm')])
    street, farm = read_counts(tmp_path / 'a' / 'counts.npz')
    assert replace(farm, dataset='street', areas=own.areas) == replace(street, areas=own.areas) == own
    assert torch.equal(street.areas, own.areas)
    (tmp_path / 'other.npz').write_text('no archive')
    for file in ('other.npz', 'none.npz'):
        with pytest.raises(DataError, match=rf'{file}: holds no counts'):
            read_counts(tmp_path / file)
