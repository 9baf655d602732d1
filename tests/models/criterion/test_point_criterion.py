from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from mmlmseg.errors import LabelSpaceError
from mmlmseg.models.criterion import PointCriterion, SetCriterion, losses, match, semantic_targets
from mmlmseg.models.criterion import point_criterion as module
from mmlmseg.models.structures import HeadOutputs, Targets
from mmlmseg.registry import MODELS

NAMES = ('cls', 'mask', 'dice')
WEIGHTS = (2.0, 5.0, 5.0)


def total(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def numbers(losses: dict[str, Tensor]) -> dict[str, float]:
    return {key: value.item() for key, value in losses.items()}


@pytest.fixture
def fix_points(monkeypatch) -> Callable[[Tensor], Tensor]:
    """Makes the matching and the losses of all images read at the same given points [P, 2]."""

    def fix(points: Tensor) -> Tensor:
        monkeypatch.setattr(module, 'random_points', lambda count, *_: points.expand(count, -1, -1))
        monkeypatch.setattr(module, 'uncertain_points', lambda logits, *_: points.expand(len(logits), -1, -1))
        return points

    return fix


def centres(height: int, width: int) -> Tensor:
    """The centre of every pixel, float64 [H * W, 2]."""
    points = [[(x + 0.5) / width, (y + 0.5) / height] for y in range(height) for x in range(width)]
    return torch.tensor(points, dtype=torch.float64)


def at_points(logits: Tensor, points: Tensor) -> list[float]:
    """Bilinear, edges repeated."""
    rows, (h, w) = logits.tolist(), logits.shape
    values = []
    for x, y in points.tolist():
        u, v = min(max(x * w - 0.5, 0), w - 1), min(max(y * h - 0.5, 0), h - 1)
        left, top = int(u), int(v)
        right, below = min(left + 1, w - 1), min(top + 1, h - 1)
        u, v = u - left, v - top
        above = (1 - u) * rows[top][left] + u * rows[top][right]
        values.append((1 - v) * above + v * ((1 - u) * rows[below][left] + u * rows[below][right]))
    return values


def plain_losses(values: Sequence[float], mask: Tensor, pixels: Tensor, points: Tensor) -> tuple[float, float]:
    """Binary cross entropy and dice loss over the counted points."""
    entropy = overlap = area = 0.0
    count = 0
    for value, (x, y) in zip(values, points.tolist(), strict=True):
        row, column = int(y * mask.shape[0]), int(x * mask.shape[1])
        if pixels[row, column]:
            p, t = 1 / (1 + math.exp(-value)), float(mask[row, column])
            entropy -= t * math.log(p) + (1 - t) * math.log(1 - p)
            overlap += p * t
            area += p + t
            count += 1
    return entropy / max(count, 1), 1 - (2 * overlap + 1) / (area + 1)


def plain_sums(
    brute_force: Any,
    outputs: HeadOutputs,
    targets: Targets,
    points: Tensor,
    weights: Sequence[float] = WEIGHTS,
    no_object: float = 0.1,
) -> dict[str, Any]:
    """Un-normalised losses per layer, and what to divide them by, in double loops."""
    layers, samples, queries, columns = outputs.class_logits.shape
    result: dict[str, Any] = {name: [0.0] * layers for name in NAMES}
    for layer, b in itertools.product(range(layers), range(samples)):
        slots = targets.valid[b].nonzero()[:, 0].tolist()
        probability = [brute_force.softmax(row, outputs.valid[b]) for row in outputs.class_logits[layer, b]]
        by_mask, costs = {}, {}
        for n in range(queries):
            values = at_points(outputs.mask_logits[layer, b, n].detach(), points)
            for t in slots:
                by_mask[n, t] = plain_losses(values, targets.masks[b, t], targets.pixels[b], points)
                by_class = -probability[n][int(targets.labels[b, t])]
                costs[n, t] = sum(w * x for w, x in zip(weights, (by_class, *by_mask[n, t]), strict=True))
        best = brute_force.best(costs, queries, slots)
        wanted = {n: int(targets.labels[b, t]) for t, n in best.items()}
        for n in range(queries):
            log_probability = math.log(probability[n][wanted.get(n, columns - 1)])
            result['cls'][layer] -= (1.0 if n in wanted else no_object) * log_probability
        for t, n in best.items():
            result['mask'][layer] += by_mask[n, t][0]
            result['dice'][layer] += by_mask[n, t][1]
    result['masks'] = sum(min(queries, int(valid.sum())) for valid in targets.valid)
    result['class_weight'] = result['masks'] + no_object * (samples * queries - result['masks'])
    return result


@pytest.mark.parametrize('queries', [5, 3])
def test_a_step_of_two_groups_is_the_sum_of_its_samples_over_the_totals(
    make_group, brute_force, fix_points, queries
) -> None:
    points = fix_points(torch.rand(60, 2).double())
    groups = [
        make_group(classes=(4, 2), layers=3, queries=queries),
        make_group(classes=(3,), size=(4, 8), layers=3, queries=queries, ignored=0.5),
    ]
    got = PointCriterion()(*zip(*groups, strict=True))
    sums = [plain_sums(brute_force, *group, points) for group in groups]
    masks, class_weight = (sum(part[key] for part in sums) for key in ('masks', 'class_weight'))
    for name, weight, divisor in zip(NAMES, WEIGHTS, (class_weight, masks, masks), strict=True):
        for layer in range(3):
            key = f'loss_{name}' if layer == 2 else f'd{layer}.loss_{name}'
            expected = weight * sum(part[name][layer] for part in sums) / divisor
            assert got[key].item() == pytest.approx(expected, rel=1e-12), key
    assert len(got) == 9
    assert list(got)[:3] == ['loss_cls', 'loss_mask', 'loss_dice']


def test_config_weights_reach_losses_and_matching(make_group, brute_force, fix_points) -> None:
    outputs, targets = make_group(classes=(4, 2))
    points = fix_points(centres(8, 12))
    settings = dict(class_weight=1.0, mask_weight=0.5, dice_weight=3.0, no_object_weight=0.4)
    got = MODELS.build(dict(type='mmlmseg.PointCriterion', **settings))([outputs], [targets])
    sums = plain_sums(brute_force, outputs, targets, points, (1.0, 0.5, 3.0), 0.4)
    assert got['loss_cls'].item() == pytest.approx(sums['cls'][1] / sums['class_weight'])
    assert got['loss_mask'].item() == pytest.approx(0.5 * sums['mask'][1] / sums['masks'])
    assert got['loss_dice'].item() == pytest.approx(3 * sums['dice'][1] / sums['masks'])


def test_with_all_pixels_as_points_dice_and_class_are_those_of_all_pixels(make_group, fix_points) -> None:
    outputs, targets = make_group(classes=(1, 1), queries=1)  # one way to match
    fix_points(centres(8, 12))
    got, dense = (build(class_weight=1.0, dice_weight=1.0) for build in (PointCriterion, SetCriterion))
    at_points, everywhere = got([outputs], [targets]), dense([outputs], [targets])
    for key in ('loss_cls', 'loss_dice', 'd0.loss_cls', 'd0.loss_dice'):
        assert at_points[key].item() == pytest.approx(everywhere[key].item(), rel=1e-12)
    gradients = [torch.autograd.grad(x['loss_dice'], outputs.mask_logits)[0] for x in (at_points, everywhere)]
    torch.testing.assert_close(*gradients)


def test_gradients_do_not_depend_on_how_samples_are_grouped(make_group, fix_points, monkeypatch) -> None:
    outputs, targets = make_group(classes=(4, 2, 3))
    fix_points(torch.rand(50, 2).double())
    leaves = (outputs.class_logits, outputs.mask_logits)
    together = PointCriterion()([outputs], [targets])
    expected = torch.autograd.grad(total(together), leaves)
    parts = [slice(2, 3), slice(0, 2)]
    apart = PointCriterion()(
        [HeadOutputs(outputs.class_logits[:, p], outputs.mask_logits[:, p], outputs.valid[p]) for p in parts],
        [Targets(targets.labels[p], targets.masks[p], targets.valid[p], targets.pixels[p]) for p in parts],
    )
    assert numbers(apart) == pytest.approx(numbers(together))
    for ours, theirs in zip(torch.autograd.grad(total(apart), leaves), expected, strict=True):
        torch.testing.assert_close(ours, theirs)

    monkeypatch.setattr(losses, 'CHUNK_CPU', 1)
    assert numbers(PointCriterion()([outputs], [targets])) == pytest.approx(numbers(together))


def test_mask_losses_pass_gradcheck_at_points_of_their_own() -> None:
    """Points are chosen before the gradient is taken: the same seed chooses the same ones for a nudged logit."""
    logits = torch.randn(3, 3, 4, dtype=torch.float64).requires_grad_()
    targets = semantic_targets(torch.randint(0, 3, (2, 9, 8)))
    sample, slot = torch.tensor([0, 1, 0]), torch.tensor([1, 0, 2])
    criterion = PointCriterion(num_points=7, oversample_ratio=1.0, importance_ratio=0.0)

    def loss(x: Tensor) -> tuple[Tensor, Tensor]:
        torch.manual_seed(1)
        return criterion.mask_losses(x, targets, sample, slot)

    assert torch.autograd.gradcheck(loss, logits)


def test_ignored_pixels_are_in_no_cost_and_no_loss(make_group, fix_points) -> None:
    outputs, targets = make_group(classes=(4, 2), stride=1)
    fix_points(centres(8, 12))
    expected = PointCriterion()([outputs], [targets])
    total(expected).backward()
    ignored = ~targets.pixels[None, :, None].expand_as(outputs.mask_logits)
    assert outputs.mask_logits.grad.any()
    assert outputs.mask_logits.grad[ignored].abs().max() < 1e-12  # centres are met up to rounding
    other = dataclasses.replace(outputs, mask_logits=outputs.mask_logits.masked_fill(ignored, 7.0))
    painted = dataclasses.replace(targets, masks=targets.masks | ~targets.pixels[:, None])
    assert numbers(PointCriterion()([other], [painted])) == pytest.approx(numbers(expected), rel=1e-12)


def test_where_no_point_counts_masks_cost_nothing(make_group, fix_points) -> None:
    outputs, targets = make_group(classes=(4, 2), ignored=0)
    fix_points(torch.tensor([[0.3, 0.4], [0.9, 0.6]]))
    targets = dataclasses.replace(targets, pixels=torch.zeros_like(targets.pixels))
    got = PointCriterion()([outputs], [targets])
    assert got['loss_mask'].item() == got['loss_dice'].item() == 0
    total(got).backward()
    assert not outputs.mask_logits.grad.any()
    assert outputs.class_logits.grad.isfinite().all()


def test_a_batch_without_any_target_trains_no_object_only(make_group) -> None:
    outputs, targets = make_group(classes=(4, 2), ignored=1.1)
    got = PointCriterion(num_points=10)([outputs], [targets])
    assert got['loss_cls'].item() > 0
    assert got['loss_mask'].item() == got['loss_dice'].item() == 0
    total(got).backward()
    assert outputs.mask_logits.grad is not None  # distributed training waits for every gradient
    assert not outputs.mask_logits.grad.any()


def test_a_group_without_targets_beside_one_with(make_group, fix_points) -> None:
    fix_points(torch.rand(20, 2).double())
    full, empty = make_group(classes=(3,)), make_group(classes=(4, 2), size=(4, 4), ignored=1.1)
    both = PointCriterion()(*zip(full, empty, strict=True))
    alone = PointCriterion()([full[0]], [full[1]])
    for key in ('loss_mask', 'loss_dice', 'd0.loss_mask', 'd0.loss_dice'):
        assert both[key].item() == pytest.approx(alone[key].item())


def test_all_layers_and_queries_of_an_image_are_matched_at_the_same_points(make_group) -> None:
    outputs, targets = make_group(classes=(4, 3))
    same = outputs.mask_logits.detach()[:1, :, :1].expand(2, -1, 4, -1, -1)
    alike = dataclasses.replace(outputs, mask_logits=same, class_logits=torch.zeros_like(outputs.class_logits))
    cost = PointCriterion(num_points=9).cost(alike, targets)
    torch.testing.assert_close(cost, cost[:1, :, :1].expand_as(cost))
    assert not torch.equal(cost, PointCriterion(num_points=9).cost(alike, targets))  # other points each time


def test_shuffled_perfect_predictions_are_found_at_random_points() -> None:
    seg = torch.arange(4).reshape(1, 2, 2).repeat_interleave(16, 1).repeat_interleave(16, 2)
    targets = semantic_targets(seg)
    order = torch.tensor([2, 0, 3, 1])
    masks = 30.0 * (2 * targets.masks[:, order].double() - 1)[None]
    outputs = HeadOutputs(torch.zeros(1, 1, 4, 5).double(), masks, torch.ones(1, 5, dtype=torch.bool))
    (matched,) = match([outputs], [targets], PointCriterion(num_points=200).cost)
    assert matched[0, 0].tolist() == order.argsort().tolist()
    got = PointCriterion(num_points=200, importance_ratio=0.0)([outputs], [targets])
    assert got['loss_dice'].item() < 5 * 0.05  # a point between the last pixel of one mask and the first of another
    wrong = dataclasses.replace(outputs, mask_logits=-masks)
    assert PointCriterion(num_points=200)([wrong], [targets])['loss_dice'].item() > 5 * 0.3


@pytest.mark.parametrize(
    ('dtype', 'autocast'), [(torch.bfloat16, False), (torch.bfloat16, True), (torch.float32, True)]
)
def test_half_precision_is_lifted_to_float32(make_group, fix_points, dtype, autocast) -> None:
    outputs, targets = make_group(classes=(4, 2), dtype=dtype)
    fix_points(torch.rand(30, 2))
    exact = HeadOutputs(outputs.class_logits.detach().double(), outputs.mask_logits.detach().double(), outputs.valid)
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        got = PointCriterion()([outputs], [targets])
    assert all(loss.dtype == torch.float32 for loss in got.values())
    assert numbers(got) == pytest.approx(numbers(PointCriterion()([exact], [targets])), rel=1e-5)
    total(got).backward()
    assert outputs.mask_logits.grad.dtype == dtype
    assert outputs.mask_logits.grad.isfinite().all()


def test_a_label_outside_the_space_is_refused(make_group) -> None:
    outputs, targets = make_group(classes=(4, 3))
    labels = targets.labels.clone()
    labels[1, 0] = 99
    with pytest.raises(LabelSpaceError, match='sample 1 .* label 99'):
        PointCriterion(num_points=4)([outputs], [dataclasses.replace(targets, labels=labels)])


@pytest.mark.parametrize(
    'wrong', [dict(num_points=0), dict(oversample_ratio=0.5), dict(importance_ratio=1.5), dict(importance_ratio=-0.1)]
)
def test_impossible_settings_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match=rf'num_points >= 1, .* got .*{next(iter(wrong.values()))}'):
        PointCriterion(**wrong)
