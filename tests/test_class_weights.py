from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mmengine.config import ConfigDict

from mmlmseg.class_weights import ByFrequency, ClassWeights
from mmlmseg.errors import OptionError
from mmlmseg.label_space import LabelSpace, LabelSpaces

SPACES = LabelSpaces(
    [LabelSpace.create('street', ['sky', 'road, route', 'car']), LabelSpace.create('facade', ['wall', 'by'])]
)


@pytest.mark.parametrize(
    ('spec', 'street', 'facade'),
    [
        (None, None, None),
        ({}, None, None),
        (dict(street=[1, 0.5, 2]), [1.0, 0.5, 2.0], None),
        (ConfigDict(street={'road, route': 0}, facade=(2, 1)), [1.0, 0.0, 1.0], [2.0, 1.0]),
        (dict(facade=dict(by=3.0)), None, [1.0, 3.0]),
    ],
)
def test_weights_are_those_listed_or_named(spec: Any, street: Any, facade: Any) -> None:
    weights = ClassWeights(spec, SPACES)
    assert (weights.of('street'), weights.of('facade')) == (street, facade)
    assert bool(weights) == bool(spec)
    assert weights.uncounted == ()


def test_weights_by_frequency_wait_until_it_is_counted() -> None:
    weights = ClassWeights(dict(street=dict(by='frequency', power=1.0), facade=[1, 2]), SPACES)
    assert weights.uncounted == ('street',)
    with pytest.raises(OptionError, match=r"'street' go by frequency.*ResumableTrainLoop"):
        weights.of('street')
    weights.count(dict(street=[0.5, 0.5, 0.1], facade=[1, 1]))
    assert weights.uncounted == ()
    assert weights.of('street') == pytest.approx([11 / 15, 11 / 15, 11 / 3])
    assert weights.of('facade') == [1.0, 2.0]


def test_one_rule_may_stand_for_all_spaces() -> None:
    weights = ClassWeights(dict(by='frequency', cap=2.0), SPACES)
    assert weights.uncounted == ('street', 'facade')
    weights.count(dict(street=[1.0, 1.0, 1.0]))
    assert weights.of('street') == [1.0, 1.0, 1.0]
    assert weights.uncounted == ('facade',)  # which no training dataset has


@pytest.mark.parametrize('power', [0.0, 0.5, 1.0])
@pytest.mark.parametrize('cap', [1, 4.0, 1e6])
def test_weights_by_frequency(power: float, cap: float) -> None:
    shares = np.array([0.9, 0.3, 0.0, 0.05, 0.001])
    weights = np.array(ByFrequency('frequency', power, cap)(shares))
    held = shares > 0
    assert weights[2] == 1  # no image holds it
    assert (shares * weights).sum() == pytest.approx(shares.sum())  # the mean over what images hold is 1
    relative = weights[held] / weights[0]
    assert relative == pytest.approx(np.minimum((0.9 / shares[held]) ** power, cap))
    assert weights.max() <= cap + 1e-9


def test_inverse_frequency_is_median_frequency_balancing_up_to_a_factor() -> None:
    shares = np.array([0.9, 0.3, 0.05])
    ours = np.array(ByFrequency('frequency', 1.0, 1e9)(shares))
    theirs = np.median(shares) / shares
    assert ours / ours[0] == pytest.approx(theirs / theirs[0])


def test_a_space_without_any_image_weighs_one() -> None:
    assert ByFrequency('frequency')([0.0, 0.0]) == [1.0, 1.0]


def test_of_several_classes_of_a_column_the_largest_weight_counts() -> None:
    weights = ClassWeights(dict(street=[0.5, 3.0, 2.0]), SPACES)
    assert weights.of_columns(SPACES[0], (1, 1, None)) == [1.0, 3.0]
    assert weights.of_columns(SPACES[0], (0, 4, 0)) == [2.0, 1.0, 1.0, 1.0, 3.0]
    assert weights.of_columns(SPACES[1], (0, 1)) == [1.0, 1.0]
    assert weights.of_columns(SPACES[1], (None, None)) == [1.0]
