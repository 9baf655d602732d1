"""Classes of which only some objects are marked push no query that is matched with nothing."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mmlmseg.models.criterion import PointCriterion, SetCriterion, match
from mmlmseg.models.criterion.losses import without_unmarked
from mmlmseg.models.structures import HeadOutputs, Targets

CRITERIA = [SetCriterion, PointCriterion]


def marked_in_part(targets: Targets, columns: list[list[bool]]) -> Targets:
    return dataclasses.replace(targets, unmarked=torch.tensor(columns))


def losses_of(kind: Any, groups: list[tuple[HeadOutputs, Targets]]) -> dict[str, Tensor]:
    torch.manual_seed(1)
    losses: dict[str, Tensor] = kind(class_weight=1.0)(*zip(*groups, strict=True))
    return losses


def class_loss(kind: Any, groups: list[tuple[HeadOutputs, Targets]], layer: int) -> float:
    """One query after the other, over the classes that it may be told apart from."""
    torch.manual_seed(1)
    outputs, targets = zip(*groups, strict=True)
    loss = weight = 0.0
    for output, target, matched in zip(outputs, targets, match(outputs, targets, kind(class_weight=1.0).cost)):
        nothing = output.valid.shape[1] - 1
        for b, logits in enumerate(output.class_logits[layer].tolist()):
            wanted = {int(n): int(target.labels[b, t]) for t, n in enumerate(matched[layer, b]) if n >= 0}
            for n, row in enumerate(logits):
                allowed = {column for column, there in enumerate(output.valid[b].tolist()) if there}
                if n not in wanted and target.unmarked is not None:
                    allowed -= {column for column, open_ in enumerate(target.unmarked[b].tolist()) if open_}
                own = wanted.get(n, nothing)
                share = 1.0 if n in wanted else 0.1
                weight += share
                if output.activation == 'softmax':
                    loss -= share * (row[own] - math.log(sum(math.exp(row[column]) for column in allowed)))
                else:
                    for column in allowed - {nothing}:
                        p = 1 / (1 + math.exp(-row[column]))
                        loss -= share * math.log(p if column == own else 1 - p)
    return loss / weight


@pytest.mark.parametrize('kind', CRITERIA)
@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
@pytest.mark.parametrize('queries', [7, 3])
def test_it_is_the_loss_over_the_classes_that_are_left(make_group, kind, activation, queries) -> None:
    first, second = make_group(classes=(4, 2), queries=queries), make_group(classes=(4,), queries=queries, ignored=0.6)
    groups = [
        (dataclasses.replace(outputs, activation=activation), targets)
        for outputs, targets in (
            (first[0], marked_in_part(first[1], [[False, True, True, False], [True, False, False, False]])),
            (second[0], marked_in_part(second[1], [[True, True]])),  # narrower than the columns
        )
    ]
    losses = losses_of(kind, groups)
    assert losses['loss_cls'].item() == pytest.approx(class_loss(kind, groups, -1), rel=1e-12)
    assert losses['d0.loss_cls'].item() == pytest.approx(class_loss(kind, groups, 0), rel=1e-12)
    plain = losses_of(kind, [(outputs, dataclasses.replace(t, unmarked=None)) for outputs, t in groups])
    assert losses['loss_cls'] < plain['loss_cls']
    assert all(torch.equal(losses[key], plain[key]) for key in losses if 'cls' not in key)


@pytest.mark.parametrize('kind', CRITERIA)
@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_where_all_is_marked_no_bit_changes(make_group, kind, activation) -> None:
    outputs, targets = make_group()
    outputs = dataclasses.replace(outputs, activation=activation)
    plain = losses_of(kind, [(outputs, targets)])
    none = losses_of(kind, [(outputs, marked_in_part(targets, [[False] * 4] * 2))])
    assert plain.keys() == none.keys()
    assert all(torch.equal(plain[key], none[key]) for key in plain)


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_idle_queries_get_no_gradient_from_what_is_unmarked(make_group, activation) -> None:
    outputs, targets = make_group(classes=(4,), layers=1, queries=9)
    outputs = dataclasses.replace(outputs, activation=activation)
    losses = losses_of(SetCriterion, [(outputs, marked_in_part(targets, [[True, False, False, False]]))])
    (grad,) = torch.autograd.grad(losses['loss_cls'], outputs.class_logits)
    matched = match([outputs], [targets])[0][0, 0]
    idle = torch.ones(9, dtype=torch.bool)
    idle[matched[matched >= 0]] = False
    assert grad.isfinite().all()
    assert (grad[0, 0, idle, 0] == 0).all()
    assert (grad[0, 0, idle, 1] != 0).all()
    assert (grad[0, 0, ~idle, 0] != 0).all()


def test_only_columns_of_idle_queries_are_taken_out() -> None:
    logits = torch.zeros(1, 2, 2, 4)
    classes = torch.tensor([[[3, 0], [1, 3]]])
    left = without_unmarked(logits, classes, torch.tensor([[False, True], [True, False]]))
    assert left.isinf().nonzero().tolist() == [[0, 0, 0, 1], [0, 1, 1, 0]]
