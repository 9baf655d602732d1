"""Names that the model cannot read, and groups as people type them."""

from __future__ import annotations

from mmlmseg.apis import LMSegInferencer
from mmlmseg.app.words import read_groups, replaced, unknown_names


def test_near_names_are_offered_for_each_unknown_one(inferencer: LMSegInferencer) -> None:
    unknown = unknown_names(inferencer, 'sky, motorbke, Building-other, zzqq')
    assert [one.name for one in unknown] == ['motorbke', 'zzqq']
    assert unknown[0].near[0] == 'motorbike'
    assert unknown[1].near == ()


def test_names_of_the_model_need_no_bank(inferencer: LMSegInferencer) -> None:
    inferencer.model.decode_head.text.encoder.can_read = lambda name: False
    assert [one.name for one in unknown_names(inferencer, 'sky, motorbike')] == ['motorbike']


def test_a_name_is_replaced_and_nothing_else() -> None:
    assert replaced('kar, kart', 'kar', 'car') == 'car, kart'
    assert replaced('kar: a kar, red; sky', 'kar', 'car') == 'car: a kar, red; sky'


def test_groups() -> None:
    assert read_groups('street + facade:wall; ; facade:window') == (('street', 'facade:wall'), ('facade:window',))
    assert read_groups(' ') == ()
