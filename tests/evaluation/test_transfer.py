"""Scores across label spaces, against loops over pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmlmseg.audit import claims_of_names, declared
from mmlmseg.errors import LabelSpaceError
from mmlmseg.evaluation.confusion import Confusion
from mmlmseg.evaluation.functional import class_areas, iou_scores
from mmlmseg.evaluation.transfer import Transfer, counterparts, markdown
from mmlmseg.label_space import LabelSpace
from mmlmseg.relations import Relations, resolve

STREET = LabelSpace.create('street', ['sky', 'building', 'vegetation', 'car'])
FACADE = LabelSpace.create('facade', ['wall', 'window', 'tree', 'bush', 'heaven', 'pane'])
RELATIONS = Relations(
    same=(('street:sky', 'facade:heaven'),),
    inside=(('facade:tree', 'street:vegetation'), ('facade:bush', 'street:vegetation')),
    part_of=(('facade:window', 'street:building'),),
)


def transfer(truth: LabelSpace, asked: LabelSpace, true: torch.Tensor, found: torch.Tensor) -> Transfer:
    counts = torch.zeros(truth.num_classes, asked.num_classes, dtype=torch.long)
    for a, b in zip(true.tolist(), found.tolist()):
        counts[a, b] += 1
    relations = resolve(RELATIONS, (STREET, FACADE))
    return Transfer(truth.name, Confusion(truth, asked, counts, 0, 1), counterparts(relations, truth, asked))


def test_what_classes_count_as() -> None:
    relations = resolve(RELATIONS, (STREET, FACADE))
    assert counterparts(relations, STREET, FACADE) == (None, 1, 2, 2, 0, None)
    # vegetation is no tree; only what is the same goes both ways
    assert counterparts(relations, FACADE, STREET) == (4, None, None, None)
    assert counterparts(relations, STREET, STREET) == (0, 1, 2, 3)


def test_parts_of_what_is_inside_count_too() -> None:
    house = LabelSpace.create('house', ['house', 'pane'])
    declared_ = Relations(inside=(('house:house', 'street:building'),), part_of=(('facade:window', 'house:house'),))
    relations = resolve(declared_, (STREET, FACADE, house))
    assert counterparts(relations, STREET, FACADE)[1] == 1


def test_scores_are_those_of_a_loop_over_scored_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.randint(4, (500,), generator=generator)
    found = torch.randint(6, (500,), generator=generator)
    one = transfer(STREET, FACADE, true, found)
    assert one.scored.tolist() == [True, True, True, False]
    asked = np.array([-1, 1, 2, 2, 0, -1])[found.numpy()]
    kept = true.numpy() != 3
    ious = []
    for label in range(3):
        there, seen = (true.numpy() == label) & kept, (asked == label) & kept
        ious.append((there & seen).sum() / (there | seen).sum())
    assert one.ious[:3].tolist() == pytest.approx(ious)
    assert one.ious[3].isnan()
    assert one.mean_iou == pytest.approx(100 * np.mean(ious), abs=0.006)
    assert one.share == pytest.approx(kept.mean())
    said = one.to_dict()
    assert said['classes']['vegetation']['asked_by'] == ['tree', 'bush']
    assert said['classes']['car'] == dict(asked_by=[], IoU=None, pixels=int((true == 3).sum()))


def test_within_a_space_it_is_the_usual_score() -> None:
    true, found = torch.randint(3, (200,)), torch.randint(4, (200,))  # class 3 is only predicted
    one = transfer(STREET, STREET, true, found)
    expected = iou_scores(class_areas(found, true, 4)).means['mIoU']
    assert one.mean_iou == pytest.approx(100 * float(expected), abs=0.006)
    assert one.share == 1


def test_nothing_in_common_is_no_score() -> None:
    clothes = LabelSpace.create('clothes', ['hat'])
    confusion = Confusion(STREET, clothes, torch.ones(4, 1, dtype=torch.long), 0, 1)
    one = Transfer('street', confusion, counterparts(resolve(Relations(), (STREET, clothes)), STREET, clothes))
    assert (one.mean_iou, one.share) == (None, 0)
    assert '| clothes | - (0/4, 0%) |  |' in markdown([one])


def test_tables_have_a_row_for_each_label_space() -> None:
    true, found = torch.arange(4), torch.tensor([4, 1, 2, 0])
    cells = [transfer(STREET, STREET, true, true), transfer(STREET, FACADE, true, found)]
    text = markdown(cells)
    assert '| street | 100.0 (4/4, 100%) | 100.0 |' in text
    assert '| facade | 100.0 (3/4, 75%) | 100.0 |' in text
    assert '| car | 100.0 |  |' in text


def test_a_class_of_two_meanings_is_refused() -> None:
    relations = Relations(inside=(('facade:tree', 'street:vegetation'),), part_of=(('facade:tree', 'street:building'),))
    with pytest.raises(LabelSpaceError, match='facade:tree would count as both building and vegetation of street'):
        counterparts(resolve(relations, (STREET, FACADE)), STREET, FACADE)
    with pytest.raises(LabelSpaceError, match="no relations are known of the label space 'clothes'"):
        counterparts(resolve(Relations(), (STREET,)), STREET, LabelSpace.create('clothes', ['hat']))


def test_what_names_tell_maps_without_contradiction() -> None:
    spaces = (
        LabelSpace.create('a', ['sky', 'building', 'tree', 'road', 'car']),
        LabelSpace.create('b', ['sky', 'building', 'window', 'door', 'vegetation', 'street', 'automobile']),
    )
    relations = resolve(declared(claims_of_names(spaces)), spaces)
    assert counterparts(relations, spaces[0], spaces[1]) == (0, 1, 1, 1, None, 3, 4)
