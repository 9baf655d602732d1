"""Paired differences of IoU, class by class, against brute force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm, ttest_ind

from mmlmseg.errors import DataError
from mmlmseg.gains.counts import ImageCounts
from mmlmseg.gains.differences import Difference, decided, differences
from mmlmseg.gains.pairing import LeftOut, Pair

Counts = Callable[..., ImageCounts]


def pair(joint: ImageCounts | list[ImageCounts], single: ImageCounts | list[ImageCounts]) -> Pair:
    """Of one seed each, or of several."""
    sides = [tuple(own) if isinstance(own, list) else (own,) for own in (joint, single)]
    return Pair('street', sides[0], sides[1], ('single',), ('street',))


def iou(areas: torch.Tensor) -> float:
    """Percent, of summed areas [3]."""
    both, pixels, true = areas.tolist()
    return 100 * both / (pixels + true - both)


def test_equals_brute_force(counts: Counts) -> None:
    joint, single = counts(1, 0.62), counts(2)
    found, left_out = differences(pair(joint, single), resamples=300)
    assert [own.name for own in found] == ['sky', 'road', 'cow']
    drawn = np.random.default_rng(12).integers(0, 12, (300, 12))
    swaps = np.random.default_rng(13).integers(0, 2, (300, 12))
    for k, own in enumerate(found):
        held = [draw.tolist() for draw in drawn if joint.areas[draw, k, 2].any()]
        apart = [iou(joint.areas[draw, k].sum(0)) - iou(single.areas[draw, k].sum(0)) for draw in held]
        assert (own.low, own.high) == pytest.approx(tuple(np.quantile(apart, [0.025, 0.975])))
        by_spread = 2 * norm.sf(abs(own.gain) / np.std(apart))
        as_large = 0
        for swap in swaps:
            sides = [[(joint, single)[s ^ side].areas[i, k] for i, s in enumerate(swap)] for side in (0, 1)]
            one, other = (iou(torch.stack(side).sum(0)) for side in sides)
            as_large += abs(one - other) >= abs(own.gain) - 1e-9
        assert own.p == pytest.approx(max((1 + as_large) / 301, by_spread))
        assert own.joint == pytest.approx(iou(joint.areas[:, k].sum(0)))
    assert found[2].images == 3
    assert left_out == [LeftOut('street', 'nowhere', 'stands in none of the images')]


def test_seeds_count_by_their_mean_and_are_drawn_again(counts: Counts) -> None:
    """Of seeds that find alike little changes; of seeds that do not, nothing is sure."""
    alike = [counts(seed, 0.7) for seed in (1, 2, 3)]
    apart = [counts(seed, right) for seed, right in ((1, 0.9), (2, 0.7), (3, 0.5))]
    single = [counts(seed, 0.6) for seed in (4, 5)]
    for joint, told in ((alike, ['helped', 'helped', 'undecided']), (apart, ['undecided'] * 3)):
        found = decided(differences(pair(joint, single))[0])
        assert [own.verdict for own in found] == told
        means = [np.mean([iou(own.areas[:, 0].sum(0)) for own in side]) for side in (joint, single)]
        assert (found[0].joint, found[0].single) == pytest.approx(tuple(means))
    assert found[0].high - found[0].low > 20


def test_the_mean_of_drawn_seeds_varies_as_that_of_trainings_does(counts: Counts) -> None:
    """Seeds alone, as every image is the same: the variance is that of a mean of three."""
    seeds = [counts(seed, right) for seed, right in ((1, 0.9), (2, 0.7), (3, 0.5))]
    joint = [replace(own, areas=own.areas[:1].expand(12, -1, -1).clone()) for own in seeds]
    single = [replace(own, areas=own.areas[:1].expand(12, -1, -1).clone()) for own in (counts(4), counts(5))]
    values = np.array([iou(own.areas[0, 0]) for own in joint])
    (sky, *_), _ = differences(pair(joint, joint[1]), 4000)
    pairs = [(a + b) / 2 - values[1] for a in values for b in values]
    assert np.std(pairs) == pytest.approx(np.std(values, ddof=1) / np.sqrt(3))
    assert (sky.low, sky.high) == pytest.approx((min(pairs), max(pairs)))
    (sky, *_), _ = differences(pair(joint, single), 20000)
    others = [iou(own.areas[0, 0]) for own in single]
    assert sky.p == pytest.approx(ttest_ind(values, others, equal_var=False).pvalue, rel=0.03)


@pytest.mark.parametrize(('seeds', 'least', 'most'), [(1, 0.6, 0.9), (3, 0.02, 0.08)])
def test_seeds_that_differ_are_no_gain(seeds: int, least: float, most: float) -> None:
    """No model is better; what is right varies with the seed, five times as much as the mean over images does."""
    random = np.random.default_rng(0)
    images, classes = 30, 400
    true = random.integers(500, 1500, (images, classes))
    names = tuple(map(str, range(classes)))

    def training() -> ImageCounts:
        share = 0.6 + 0.05 * random.standard_normal(classes) + 0.05 * random.standard_normal((images, classes))
        right = (true * np.clip(share, 0, 1)).astype(int)
        return ImageCounts('d', 'd', names, names[:images], torch.from_numpy(np.stack([right, true, true], -1)))

    found, _ = differences(pair([training() for _ in range(seeds)], [training() for _ in range(seeds)]), 300)
    assert least < np.mean([own.p < 0.05 for own in found]) < most
    assert len(found) == classes


def test_what_is_clear_is_decided_and_what_is_not_is_not(counts: Counts) -> None:
    """Three images with cows are too few, however large the difference."""
    for models, verdict in ((counts(1, 0.9), counts(2)), 'helped'), ((counts(2), counts(1, 0.9)), 'hurt'):
        found = decided(differences(pair(*models))[0])
        assert [(own.name, own.verdict) for own in found] == [('sky', verdict), ('road', verdict), ('cow', 'undecided')]
    same = decided(differences(pair(counts(1), counts(1)))[0])
    assert {(own.verdict, own.p, own.gain) for own in same} == {('undecided', 1.0, 0.0)}


def test_a_class_of_one_image_is_never_decided(counts: Counts) -> None:
    joint, single = counts(1, 0.9), counts(2)
    for own in (joint, single):
        own.areas[1:, 2] = 0
    (cow,) = (own for own in differences(pair(joint, single))[0] if own.name == 'cow')
    assert cow.images == 1
    assert cow.p > 0.3


def test_what_is_found_where_there_is_none_is_told(counts: Counts) -> None:
    joint, single = counts(1), counts(2)
    joint.areas[0, 3, 1] = 7
    _, left_out = differences(pair(joint, single))
    assert [own.why for own in left_out] == ['stands in none of the images; found by the joint model in 7 pixels']


def test_a_dataset_without_truth_is_left_out_whole(counts: Counts) -> None:
    joint = counts(1)
    joint.areas[..., (0, 2)] = 0
    found, left_out = differences(pair(joint, joint))
    assert (found, len(left_out)) == ([], 4)


def test_another_truth_is_refused(counts: Counts) -> None:
    other = counts(2)
    other.areas[0, 0, 2] += 1
    with pytest.raises(DataError, match='street: the truth of the models differs'):
        differences(pair(counts(1), other))


def test_many_classes_are_judged_together() -> None:
    """The values of p of Benjamini and Hochberg's own example (1995, section 3.2.1), of which four are told at 5 %."""
    values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    values += [0.7590, 1.0]
    rows = [Difference('d', str(i), 1, 50.0, 40.0, 0.0, 1.0, p) for i, p in enumerate(values)]
    assert [own.name for own in decided(rows[::-1]) if own.verdict == 'helped'] == ['3', '2', '1', '0']
    assert decided([]) == []


@pytest.mark.parametrize('change', [dict(classes=('a', 'b', 'c', 'd')), dict(images=('x',))])
def test_other_data_is_refused(counts: Counts, change: dict) -> None:
    with pytest.raises(DataError, match=f'street: the models were counted on different {next(iter(change))}'):
        differences(pair(counts(1), replace(counts(2), **change)))
