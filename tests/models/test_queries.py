from __future__ import annotations

from mmlmseg.models.queries import SharedQueries


def test_contents_start_at_zero_and_positions_are_learned() -> None:
    queries = SharedQueries(16, num_queries=7)
    content, position = queries(('a', 'b', 'a'))
    assert content.shape == position.shape == (3, 7, 16)
    assert content.abs().max() == 0
    assert position[0].equal(position[1])
    position.sum().backward()
    assert queries.position.weight.grad is not None
