from __future__ import annotations

import torch

from mmlmseg.models.queries import SharedQueries


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
