from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS

from mmlmseg.checkpoint import CheckpointRecord, TextSource, label_spaces_of
from mmlmseg.errors import CheckpointError, TextBankError
from mmlmseg.label_space import LabelSpace, LabelSpaces

SPACES = LabelSpaces(
    [LabelSpace.create('street', ['façade', 'car'], things=['car']), LabelSpace.create('s.2', ['sky'])]
)
SOURCE = TextSource('toy', 'a {name}', 3, 'abc')
RECORD = CheckpointRecord(SPACES, 'sigmoid', things_only=True, text=SOURCE)


def same(a: CheckpointRecord, b: CheckpointRecord) -> bool:
    return replace(a, label_spaces=SPACES) == replace(b, label_spaces=SPACES) and list(a.label_spaces) == list(
        b.label_spaces
    )


@pytest.mark.parametrize('record', [RECORD, replace(RECORD, text=None, things_only=False, adapters=('street',))])
def test_a_record_survives_packing(record: CheckpointRecord) -> None:
    packed = record.pack()
    assert packed.dtype == torch.uint8
    assert same(CheckpointRecord.unpack(packed), record)


def packed_json(text: str) -> torch.Tensor:
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


@pytest.mark.parametrize(
    'foreign',
    [
        torch.tensor([200, 200], dtype=torch.uint8),
        torch.randn(3),
        {'names': []},
        packed_json('{"label_spaces": []}'),
        packed_json('{"label_spaces": [{"name": "street"}], "text": null}'),
        packed_json('[1, 2]'),
    ],
)
def test_what_is_no_record_is_an_error(foreign: Any) -> None:
    with pytest.raises(CheckpointError, match='the record in the checkpoint cannot be read'):
        CheckpointRecord.unpack(foreign)


def test_a_record_is_found_in_a_state_dict() -> None:
    state = {'decode_head.text.table': torch.zeros(3, 4), 'module.decode_head._extra_state': RECORD.pack()}
    assert same(CheckpointRecord.of(state), RECORD)
    assert list(label_spaces_of(state)) == list(SPACES)
    with pytest.raises(CheckpointError, match='holds no label spaces: it is not of an mmlmseg model'):
        CheckpointRecord.of({'w': torch.zeros(1)})


@pytest.mark.parametrize('text', [True, False])
def test_a_model_packs_one_record(model_config: Callable[..., dict[str, Any]], text: bool) -> None:
    model = MODELS.build(model_config(text=text))
    state = model.state_dict()
    assert [key for key in state if key.endswith('_extra_state')] == ['decode_head._extra_state']
    record = CheckpointRecord.of(state)
    assert list(record.label_spaces) == list(model.label_spaces)
    assert record.text == (model.decode_head.text.encoder.source() if text else None)


def test_a_record_refuses_what_means_something_else() -> None:
    RECORD.check(replace(RECORD, text=None))  # the text encoder compares the sources
    street, other = SPACES
    for label_spaces, message in (
        ([street], 'trained on the label spaces street, s.2, the config has street. Load it'),
        ([other, street], 'the config has s.2, street. Load it'),
        ([street, other, LabelSpace.create('new', ['x'])], 'street, s.2, new; tools/add_label_space.py adds new. Load'),
        ([street, LabelSpace.create('s.2', ['car'])], "'s.2' differs between .*id 0: 'sky' there, 'car' here"),
        ([street, LabelSpace.create('s.2', ['sky', 'car'])], '1 classes there, 2 here'),
        ([LabelSpace.create('street', ['façade', 'car']), other], "'street': the things of the checkpoint are car, "),
    ):
        with pytest.raises(CheckpointError, match=message):
            RECORD.check(replace(RECORD, label_spaces=LabelSpaces(label_spaces)))
    with pytest.raises(CheckpointError, match="trained with class_activation='sigmoid', the config has .*'softmax'"):
        RECORD.check(replace(RECORD, class_activation='softmax'))
    with pytest.raises(CheckpointError, match='things_only=True, the config has things_only=False'):
        RECORD.check(replace(RECORD, things_only=False))
    with pytest.raises(CheckpointError, match='holds adapters of no label space, the config of street; give'):
        RECORD.check(replace(RECORD, adapters=('street',)))


@pytest.mark.parametrize(
    'other',
    [
        TextSource('other', 'a {name}', 3, 'abc'),
        TextSource('toy', '{name}', 3, 'abc'),
        TextSource('toy', 'a {name}', 4, 'abc'),
        TextSource('toy', 'a {name}', 3, 'def'),
    ],
)
def test_another_text_source_is_refused(other: TextSource) -> None:
    SOURCE.require(SOURCE, 'here')
    with pytest.raises(TextBankError, match=r'here.*checkpoint was trained with'):
        SOURCE.require(other, 'here')
