"""Likely donors: by what is declared, by names, and by what they are read as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from mmlmseg.gains.counts import CountedModel
from mmlmseg.gains.donors import Donor, Donors
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.relations import Relations

SPACES = LabelSpaces(
    [
        LabelSpace.create('street', ['car', 'building', 'sky']),
        LabelSpace.create('farm', ['automobile', 'barn', 'cow', 'other']),
        LabelSpace.create('facade', ['window', 'heaven']),
    ]
)
OTHERS = ('farm', 'facade')


def model(counted: Callable[..., CountedModel], **known: object) -> CountedModel:
    """A joint model of the three label spaces."""
    return replace(counted(1), spaces=SPACES, **known)


def test_names_tell_what_classes_are_to_each_other(counted: Callable[..., CountedModel]) -> None:
    donors = Donors([model(counted)])
    assert donors.of('street', 'car', OTHERS) == [Donor('farm', 'automobile', 'same', 'names', None)]
    assert donors.of('street', 'building', ['farm']) == [Donor('farm', 'barn', 'inside', 'names', None)]
    assert donors.of('farm', 'barn', ['street']) == [Donor('street', 'building', 'contains', 'names', None)]
    assert donors.of('facade', 'window', ['street']) == [Donor('street', 'building', 'whole', 'names', None)]
    assert donors.of('street', 'sky', OTHERS) == donors.of('farm', 'cow', OTHERS) == []


def test_only_what_was_not_known_before_gives(counted: Callable[..., CountedModel]) -> None:
    assert Donors([model(counted)]).of('street', 'car', ['street', 'facade']) == []


def test_what_is_declared_goes_before_names(counted: Callable[..., CountedModel]) -> None:
    relations = Relations(same=(('street:sky', 'facade:heaven'),), inside=(('street:car', 'farm:automobile'),))
    donors = Donors([model(counted, relations=relations)])
    assert donors.of('street', 'sky', OTHERS) == [Donor('facade', 'heaven', 'same', 'declared', None)]
    assert donors.of('street', 'car', OTHERS) == [Donor('farm', 'automobile', 'contains', 'declared', None)]


def test_text_rows_tell_what_is_read_alike(counted: Callable[..., CountedModel]) -> None:
    """The mean over seeds; of relations the cosine is told too; what stands for the rest is like nothing."""
    rows = torch.eye(9)
    rows[8] = 0.8 * rows[2] + 0.6 * rows[0]  # heaven is read as the sky
    rows[6] = rows[2]  # and so is all that has no name
    other = rows.clone()
    other[8] = 0.6 * rows[2] + 0.8 * rows[1]
    donors = Donors([model(counted, rows=rows), model(counted, rows=other)])
    assert donors.of('street', 'sky', OTHERS) == [Donor('facade', 'heaven', 'alike', 'text', 0.7)]
    assert donors.of('street', 'car', OTHERS) == [Donor('farm', 'automobile', 'same', 'names', 0.0)]
