from __future__ import annotations

from mmlmseg.planning import evaluating


def test_batches_of_an_evaluation_take_turns_behind_one_that_warms_up() -> None:
    order = list(evaluating._rounds(dict(a=5, b=2), batch_size=2))
    assert [name for name, _ in order] == ['a', *['a', 'b'] * evaluating.REPEATS]
    assert all(len(places) == 2 for _, places in order)
    assert {place for name, places in order if name == 'b' for place in places} == {5, 6}
