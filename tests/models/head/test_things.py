"""Heads that find things only."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import MODELS

from mmlmseg.errors import LabelSpaceError, OptionError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.head.label_space_head import _thing_columns

STREET = LabelSpace.create('street', ['sky', 'car', 'road'], things=['car'])
ROOM = LabelSpace.create('room', ['chair', 'cup'], things=['cup', 'chair'])


def test_columns_of_things() -> None:
    assert _thing_columns([ROOM, STREET], 3).tolist() == [[True, True, False], [False, True, False]]


@pytest.mark.parametrize('text', [True, False])
def test_stuff_is_no_class(model_config, text: bool) -> None:
    head = MODELS.build(model_config([STREET, ROOM], text=text, things_only=True)['decode_head'])
    for width in (None, 4):
        asked = head.categories(['room', 'street'], width)
        none = [False] * ((width or 3) - 3)
        assert asked.valid.tolist() == [[True, True, False, *none, True], [False, True, False, *none, True]]
        if text:
            assert torch.equal(asked.rows.any(-1), asked.valid)


def test_a_space_without_things_is_refused(model_config, spaces) -> None:
    with pytest.raises(LabelSpaceError, match="'facade' has no things.*leave it out"):
        MODELS.build(model_config(spaces, things_only=True)['decode_head'])
    head = MODELS.build(model_config([STREET], things_only=True)['decode_head'])
    with pytest.raises(LabelSpaceError, match="'custom' has no things"):
        head.categories([LabelSpace.create('custom', ['tree'])])
    own = LabelSpace.create('custom', ['tree', 'dog'], things=['dog'])
    assert head.categories([own]).valid.tolist() == [[False, True, True]]


def test_semantic_results_are_refused(model_config) -> None:
    config = model_config([STREET], things_only=True)
    for test_cfg in ({}, dict(tasks=['instance', 'semantic'])):
        with pytest.raises(OptionError, match="ask for 'instance'"):
            MODELS.build(dict(config, test_cfg=test_cfg))
    model = MODELS.build(dict(config, test_cfg=dict(tasks=['instance', 'panoptic'])))
    model.test_cfg = dict(tasks=['semantic'])  # as an inferencer may ask for
    with pytest.raises(OptionError, match='no semantic results'):
        model.predict([], [])
