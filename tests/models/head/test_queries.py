from __future__ import annotations

import pytest
import torch

from mmlmseg.errors import LabelSpaceError
from mmlmseg.label_space import LabelSpaces
from mmlmseg.models.head.queries import LabelSpaceQueries, SharedQueries


def test_contents_start_at_zero_and_positions_are_learned() -> None:
    queries = SharedQueries(16, num_queries=7)
    content, position = queries(('a', 'b', 'a'))
    assert content.shape == position.shape == (3, 7, 16)
    assert content.abs().max() == 0
    assert position[0].equal(position[1])
    position.sum().backward()
    assert queries.position.weight.grad is not None
    assert list(queries.state_dict()) == ['position.weight']


def test_contents_can_be_learned_too() -> None:
    torch.manual_seed(0)
    plain = SharedQueries(16, num_queries=7)
    torch.manual_seed(0)
    queries = SharedQueries(16, num_queries=7, learn_content=True)
    content, position = queries(('a', 'b'))
    assert torch.equal(position[0], plain.position.weight)
    assert content.shape == position.shape == (2, 7, 16)
    assert torch.equal(content[1], queries.content.weight)
    assert content.abs().max() > 0
    (content * position).sum().backward()
    assert queries.content.weight.grad is not None
    assert list(queries.state_dict()) == ['position.weight', 'content.weight']


@pytest.mark.parametrize('mode', ['replace', 'add'])
def test_each_space_has_its_own_and_all_start_alike(spaces, mode: str) -> None:
    queries = LabelSpaceQueries(16, LabelSpaces(spaces), num_queries=7, mode=mode)
    content, position = queries(('street', 'facade', 'street'))
    assert content.shape == position.shape == (3, 7, 16)
    assert content[0].equal(content[1])
    with torch.no_grad():
        queries.own[1].add_(1.0)
    content, position = queries(('street', 'facade', 'street'))
    assert content[0].equal(content[2])
    assert not content[0].isclose(content[1]).any()
    assert not position[0].isclose(position[1]).any()


def test_idle_spaces_get_a_zero_gradient(spaces) -> None:
    queries = LabelSpaceQueries(4, LabelSpaces(spaces), num_queries=2)
    content, position = queries(('street',))
    (content.sum() + position.sum()).backward()
    assert queries.own[0].grad.eq(1).all()
    assert queries.own[1].grad.eq(0).all()


def test_free_class_lists_have_the_shared_queries(spaces) -> None:
    queries = LabelSpaceQueries(4, LabelSpaces(spaces), num_queries=5, mode='add')
    content, _ = queries(('custom', 'custom'))
    assert content[1].equal(queries.shared[0])
    with pytest.raises(LabelSpaceError, match="'custom' is none of the label spaces that have queries"):
        LabelSpaceQueries(4, LabelSpaces(spaces), num_queries=5)(('custom',))
    with pytest.raises(ValueError, match='mode must be'):
        LabelSpaceQueries(4, LabelSpaces(spaces), mode='mean')
