"""Which model stands against which."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mmlmseg.errors import OptionError
from mmlmseg.gains.counts import CountedModel
from mmlmseg.gains.pairing import LeftOut, pairs_of

Counted = Callable[..., CountedModel]


def test_each_dataset_meets_its_own_model(counted: Counted) -> None:
    joint = counted(1, datasets=('street', 'farm', 'yard'))
    single = [counted(2, datasets=('farm',)), counted(3, datasets=('street',)), counted(4, datasets=('moon',))]
    pairs, left_out = pairs_of([joint], single)
    assert [(own.dataset, own.single_names, own.trained_on) for own in pairs] == [
        ('street', ('model 3',), ('street',)),
        ('farm', ('model 2',), ('farm',)),
    ]
    assert pairs[1].single == single[0].datasets
    assert [own.dataset for pair in pairs for own in pair.joint] == ['street', 'farm']
    assert left_out == [
        LeftOut('yard', None, 'no single model was counted on it'),
        LeftOut('moon', None, 'the joint model was not counted on it'),
    ]


def test_models_that_differ_in_their_seeds_are_one(counted: Counted) -> None:
    both = ('street', 'farm')
    single = [counted(3, datasets=('farm',)), counted(4), counted(5)]
    pairs, left_out = pairs_of([counted(1, datasets=both), counted(2, datasets=both)], single)
    assert [(len(own.joint), len(own.single)) for own in pairs] == [(2, 2), (2, 1)]
    assert pairs[0].single_names == ('model 4', 'model 5')
    assert left_out == []


@pytest.mark.parametrize(
    ('joint', 'single', 'words'),
    [
        ([dict()], [dict(), dict(datasets=('street', 'farm'))], '--single, street.*not trained on the same label spac'),
        ([dict()], [dict(), dict(architecture='theirs')], '--single, street: .*are not built alike'),
        ([dict(), dict(datasets=('street', 'farm'))], [dict()], '--joint: .*are not trained on the same label spaces'),
        ([dict()], [dict(datasets=('farm',))], 'no dataset in common: .* on street, model 100: farm'),
    ],
)
def test_what_is_no_seed_is_refused(counted: Counted, joint: list[dict], single: list[dict], words: str) -> None:
    sides = [[counted(place + i, **own) for i, own in enumerate(side)] for place, side in ((0, joint), (100, single))]
    with pytest.raises(OptionError, match=words):
        pairs_of(*sides)


def test_a_training_given_twice_is_refused(counted: Counted) -> None:
    with pytest.raises(OptionError, match='--single, street: model 2 and model 2 found the same in every image'):
        pairs_of([counted(1)], [counted(2), counted(2)])
