from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from mmlmseg.errors import LabelSpaceError
from mmlmseg.models.criterion import losses, match
from mmlmseg.models.criterion.matching import class_cost, mask_cost, matching_cost, nearest
from mmlmseg.models.structures import HeadOutputs

WEIGHTS = (1.0, 20.0, 1.0)


def test_costs_are_those_of_double_loops(make_group, brute_force) -> None:
    outputs, targets = make_group(classes=(4, 2, 3), size=(8, 12), stride=4)
    costs = matching_cost(outputs, targets, *WEIGHTS)
    layers, samples, queries, slots = costs.shape
    compared = 0
    for b, t in targets.valid.nonzero().tolist():
        for layer in range(layers):
            for n in range(queries):
                expected = brute_force.cost(outputs, targets, (layer, b, n, t), WEIGHTS)
                assert costs[layer, b, n, t].item() == pytest.approx(expected, rel=1e-12)
                compared += 1
    assert compared > 2 * 4 * 5
    assert (samples, slots) == (3, 4)


def test_mask_cost_at_sizes_that_do_not_divide(make_group, brute_force) -> None:
    outputs, targets = make_group(classes=(3,), size=(7, 11), stride=2)
    costs = matching_cost(outputs, targets, *WEIGHTS)
    for t in range(3):
        assert costs[1, 0, 2, t].item() == pytest.approx(brute_force.cost(outputs, targets, (1, 0, 2, t), WEIGHTS))


def test_class_cost_is_minus_the_probability_among_the_valid_columns() -> None:
    logits = torch.zeros(1, 1, 1, 5, dtype=torch.float64)
    logits[..., 2:4] = 50  # not in this sample's space
    valid = torch.tensor([[True, True, False, False, True]])
    outputs = HeadOutputs(logits, torch.zeros(1, 1, 1, 2, 2), valid)
    cost = class_cost(outputs, torch.tensor([[1, 0]]))
    assert cost.flatten().tolist() == pytest.approx([-1 / 3, -1 / 3])


def test_class_cost_of_a_class_on_its_own(make_group) -> None:
    outputs, targets = make_group(classes=(4, 2))
    cost = class_cost(dataclasses.replace(outputs, activation='sigmoid'), targets.labels)
    for b, t in targets.valid.nonzero().tolist():
        own = outputs.class_logits[:, b, :, targets.labels[b, t]]
        torch.testing.assert_close(cost[:, b, :, t], -1 / (1 + torch.exp(-own)))


def test_mask_cost_stays_finite_and_exact_at_extreme_logits() -> None:
    logits = torch.tensor([60.0, -60.0, 300.0, -300.0]).reshape(1, 1, 1, 1, 4)
    mask = torch.tensor([False, True, False, True]).reshape(1, 1, 1, 4)
    pixels = torch.ones(1, 1, 4, dtype=torch.bool)
    cost = mask_cost(logits, mask, pixels, focal_weight=1.0, dice_weight=0.0)
    assert cost.item() == pytest.approx((0.75 * 360 + 0.25 * 360) / 4)
    right = mask_cost(-logits, mask, pixels, focal_weight=1.0, dice_weight=0.0)
    assert right.item() == pytest.approx(0.0, abs=1e-20)


def test_chunks_change_nothing(make_group, monkeypatch) -> None:
    outputs, targets = make_group(classes=(4, 2, 3))
    whole = matching_cost(outputs, targets, *WEIGHTS)
    monkeypatch.setattr(losses, 'CHUNK_CPU', 1)
    torch.testing.assert_close(matching_cost(outputs, targets, *WEIGHTS), whole, rtol=1e-13, atol=0)


def test_nearest_is_that_of_torch() -> None:
    maps = torch.rand(2, 3, 13, 17) < 0.5
    for size in [(4, 5), (13, 17), (1, 1), (6, 16)]:
        expected = F.interpolate(maps.float(), size=size, mode='nearest').bool()
        assert torch.equal(nearest(maps, size), expected)


def test_ignored_pixels_are_in_no_cost(make_group) -> None:
    outputs, targets = make_group(stride=1)
    before = matching_cost(outputs, targets, *WEIGHTS)
    with torch.no_grad():
        outputs.mask_logits.masked_fill_(~targets.pixels[None, :, None], 7.0)
    torch.testing.assert_close(matching_cost(outputs, targets, *WEIGHTS), before)


@pytest.mark.parametrize(('classes', 'queries'), [((4, 2, 3), 4), ((5, 2), 3), ((1, 4), 5)])
def test_the_assignment_is_the_best_of_all(make_group, brute_force, classes, queries) -> None:
    outputs, targets = make_group(classes=classes, queries=queries)
    (matched,) = match([outputs], [targets])
    assert matched.shape == (2, len(classes), targets.labels.shape[1])
    assert matched.dtype == torch.long
    expected = torch.full_like(matched, -1)
    for (layer, b), best in brute_force.sums(outputs, targets)['match'].items():
        for t, n in best.items():
            expected[layer, b, t] = n
    assert torch.equal(matched, expected)
    assert not (matched[:, ~targets.valid] >= 0).any()


def test_more_targets_than_queries(make_group) -> None:
    outputs, targets = make_group(classes=(6, 1), queries=3)
    (matched,) = match([outputs], [targets])
    assert ((matched >= 0).sum(-1) == torch.tensor([3, 1])).all()
    for layer in matched:
        assert sorted(q for q in layer[0].tolist() if q >= 0) == [0, 1, 2]


def test_groups_are_matched_as_alone(make_group) -> None:
    groups = [make_group(classes=(4, 2)), make_group(classes=(3,), size=(4, 4), queries=6)]
    together = match(*zip(*groups, strict=True))
    for (outputs, targets), matched in zip(groups, together, strict=True):
        assert torch.equal(matched, match([outputs], [targets])[0])


def test_no_target_at_all(make_group) -> None:
    groups = [make_group(classes=(4, 2), ignored=1.1), make_group(classes=(3,))]
    empty, full = match(*zip(*groups, strict=True))
    assert empty.shape == (2, 2, 0)
    assert (full >= 0).all()
    assert match([], []) == []


def test_non_finite_costs_say_what_to_do(make_group) -> None:
    outputs, targets = make_group(classes=(4, 2, 3))
    with torch.no_grad():
        outputs.mask_logits[1, 2, 0, 0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match=r'sample 2 .*not finite in decoder layer 1.*learning rate'):
        match([outputs], [targets])


@pytest.mark.parametrize('label', [3, 4, 99, -2])
def test_a_label_outside_the_space_is_refused(make_group, label) -> None:
    outputs, targets = make_group(classes=(4, 3))
    labels = targets.labels.clone()
    labels[1, 0] = label  # 3 is a class of the other sample's space, 4 is no-object
    with pytest.raises(LabelSpaceError, match=f'sample 1 .* label {label}'):
        match([outputs], [dataclasses.replace(targets, labels=labels)])
