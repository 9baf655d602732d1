"""Class lists that grow in training by names that stand for nothing of a label space."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mmlmseg.errors import OptionError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.text.strangers import Strangers, strangers
from mmlmseg.registry import MODELS


def test_right_answers_and_names_of_the_rest_are_no_strangers() -> None:
    space = LabelSpace.create('street', ['building', 'car', 'road'], synonyms=dict(road=['carriageway']))
    offered = [
        'Car',
        'car (automobile)',
        'vehicle',
        'house',
        'carriageway',
        'window',
        'background',
        'cow',
        'Cow',
        'sofa',
    ]
    assert strangers(space, offered) == ('cow', 'sofa')
    assert strangers(space, []) == strangers(space, ['car', 'others']) == ()


def test_draws_change_in_length_and_hold_no_name_twice() -> None:
    spaces = [
        LabelSpace.create('street', ['road', 'car']),
        LabelSpace.create('farm', ['cow', 'sheep', 'horse', 'car', 'others']),
    ]
    own = Strangers(2)
    own.fill(spaces, lambda name: True)
    draws = [own.draw(spaces[0]) for _ in range(60)]
    assert {len(drawn) for drawn in draws} == {0, 1, 2}
    assert all(len(set(drawn)) == len(drawn) and set(drawn) <= {'cow', 'sheep', 'horse'} for drawn in draws)
    assert len(set(draws)) > 6
    assert {own.draw(spaces[1]) for _ in range(80)} == {(), ('road',)}  # all where there are fewer


def test_half_of_a_draw_is_of_the_file(tmp_path: Path) -> None:
    spaces = [LabelSpace.create('street', ['road', 'car']), LabelSpace.create('farm', ['cow', 'sheep', 'horse'])]
    file = tmp_path / 'names.txt'
    file.write_text('Cow\nsofa\nbed\nlamp\npiano\nroad\n')
    own = Strangers(4, str(file))
    own.fill(spaces, lambda name: name != 'piano')
    for _ in range(40):
        drawn = own.draw(spaces[0])
        near, far = ({*drawn} & names for names in ({'cow', 'sheep', 'horse'}, {'sofa', 'bed', 'lamp'}))
        assert len(near) + len(far) == len(drawn)
        assert len(near) == len(drawn) // 2


@pytest.fixture
def make(model_config: Callable[..., dict[str, Any]], spaces: list[LabelSpace]) -> Callable[..., Any]:
    def build(strangers: dict[str, Any] | None, **head: Any) -> Any:
        config = model_config(spaces, **head)
        config['decode_head']['text']['strangers'] = strangers
        model = MODELS.build(config)
        model.init_weights()
        return model

    return build


def test_lists_are_longer_in_training_only(make: Any, tmp_path: Path) -> None:
    (tmp_path / 'names.txt').write_text('cow\nsheep\nhorse\n')
    text = make(dict(number=2, names=str(tmp_path / 'names.txt'))).decode_head.text
    asked = [text.train().categories(['street', 'facade']) for _ in range(200)]
    assert {tuple(one.valid.sum(1).tolist()) for one in asked} == {
        (5 + n + 1, 3 + m + 1) for n in range(3) for m in range(3)
    }
    assert all(one.rows.shape[1] == one.valid.sum(1).max() for one in asked)
    plain = make(None).decode_head.text
    plain.load_state_dict(text.state_dict())
    for one in (text, plain):
        assert one.eval().categories(['street', 'facade']).valid.sum(1).tolist() == [6, 4]
    assert torch.equal(text.categories(['street']).rows, plain.categories(['street']).rows)
    own = plain.train().categories(['street'])
    torch.testing.assert_close(text.train().categories(['street']).rows[:, :5], own.rows[:, :5])


def test_no_query_is_trained_to_a_stranger(make: Any, make_sample: Any) -> None:
    """Labels stay those of the space; each stranger is one name more that a query has to be unlike."""
    samples = [make_sample('street'), make_sample('facade', seed=1)]
    losses = []
    for option in (None, dict(number=3)):
        torch.manual_seed(0)
        model = make(option, drop_absent=0.5).train()
        data = model.data_preprocessor({key: [copy.deepcopy(s[key]) for s in samples] for key in samples[0]}, True)
        torch.manual_seed(1)
        found = model.loss(**data)
        sum(found.values()).backward()
        losses.append(found['loss_cls'].item())
    assert losses[1] > losses[0]


def test_names_of_a_file_that_the_encoder_reads(make: Any, tmp_path: Path) -> None:
    file = tmp_path / 'names.txt'
    file.write_text('cow\nxyzzyx\nHouse\nsheep\n')
    text = make(dict(number=9, names=str(file))).decode_head.text
    space = text.label_spaces.get('street')
    drawn = {name for _ in range(20) for name in text.strangers.draw(space)}
    assert {'cow', 'sheep'} <= drawn
    assert not drawn & {'xyzzyx', 'house'}


@pytest.mark.parametrize(
    ('option', 'head', 'message'),
    [
        (dict(number=0), {}, 'number is 0; it must be a whole number from 1'),
        (dict(number=True), {}, 'number is True'),
        (dict(number=4, names='no/such.txt'), {}, r'no/such\.txt: no such file'),
        (dict(number=4), dict(classifier=dict(type='mmlmseg.LinearClassifier')), 'not LinearClassifier'),
    ],
)
def test_what_cannot_be_is_refused(make: Any, option: dict, head: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make(option, **head)


def test_a_model_of_one_label_space_needs_a_file(make: Any, model_config: Any, spaces: list[LabelSpace]) -> None:
    config = model_config(spaces[:1])
    config['decode_head']['text']['strangers'] = dict(number=4)
    with pytest.raises(OptionError, match="nothing of label space 'street'; draw from a file"):
        MODELS.build(config).init_weights()
