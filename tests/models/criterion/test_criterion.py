from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmlmseg.models.criterion import PointCriterion, SetCriterion, criterion, match, semantic_targets
from mmlmseg.models.criterion.matching import Cost, matching_cost
from mmlmseg.models.structures import HeadOutputs, Targets
from mmlmseg.registry import MODELS

NAMES = ('cls', 'focal', 'dice')


def total(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def numbers(losses: dict[str, Tensor]) -> dict[str, float]:
    return {key: value.item() for key, value in losses.items()}


def select(outputs: HeadOutputs, targets: Targets, b: int) -> tuple[HeadOutputs, Targets]:
    """Sample ``b`` alone."""
    part = slice(b, b + 1)
    return (
        HeadOutputs(outputs.class_logits[:, part], outputs.mask_logits[:, part], outputs.valid[part]),
        Targets(targets.labels[part], targets.masks[part], targets.valid[part], targets.pixels[part]),
    )


@pytest.mark.parametrize('queries', [5, 3])
def test_a_step_of_two_groups_is_the_sum_of_its_samples_over_the_totals(make_group, brute_force, queries) -> None:
    groups = [
        make_group(classes=(4, 2), layers=3, queries=queries),
        make_group(classes=(3,), size=(4, 8), layers=3, queries=queries, ignored=0.5),
    ]
    losses = SetCriterion()(*zip(*groups, strict=True))
    sums = [brute_force.sums(*group) for group in groups]
    masks, class_weight = (sum(part[key] for part in sums) for key in ('masks', 'class_weight'))
    for name, weight, divisor in zip(NAMES, (1, 20, 1), (class_weight, masks, masks), strict=True):
        for layer in range(3):
            key = f'loss_{name}' if layer == 2 else f'd{layer}.loss_{name}'
            expected = weight * sum(part[name][layer] for part in sums) / divisor
            assert losses[key].item() == pytest.approx(expected, rel=1e-12), key
    assert len(losses) == 9
    assert list(losses)[:3] == ['loss_cls', 'loss_focal', 'loss_dice']


def test_gradients_do_not_depend_on_how_samples_are_grouped(make_group) -> None:
    outputs, targets = make_group(classes=(4, 2, 3))
    together = SetCriterion()([outputs], [targets])
    leaves = (outputs.class_logits, outputs.mask_logits)
    expected = torch.autograd.grad(total(together), leaves)
    apart = SetCriterion()(*zip(*[select(outputs, targets, b) for b in (2, 0, 1)], strict=True))
    assert numbers(apart) == pytest.approx(numbers(together))
    for ours, theirs in zip(torch.autograd.grad(total(apart), leaves), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_config_weights_reach_losses_and_matching(make_group, brute_force) -> None:
    outputs, targets = make_group(classes=(4, 2))
    settings = dict(class_weight=2.0, focal_weight=0.5, dice_weight=3.0, no_object_weight=0.4)
    losses = MODELS.build(dict(type='mmlmseg.SetCriterion', **settings))([outputs], [targets])
    sums = brute_force.sums(outputs, targets, (2.0, 0.5, 3.0), 0.4)
    assert losses['loss_cls'].item() == pytest.approx(2 * sums['cls'][1] / sums['class_weight'])
    assert losses['loss_focal'].item() == pytest.approx(0.5 * sums['focal'][1] / sums['masks'])
    assert losses['loss_dice'].item() == pytest.approx(3 * sums['dice'][1] / sums['masks'])


def test_columns_of_other_spaces_get_no_gradient(make_group) -> None:
    outputs, targets = make_group(classes=(4, 2))
    total(SetCriterion()([outputs], [targets])).backward()
    assert outputs.class_logits.grad.isfinite().all()
    assert not outputs.class_logits.grad[:, 1, :, 2:4].any()
    assert outputs.class_logits.grad[:, 0].all()
    assert outputs.mask_logits.grad.isfinite().all()


def test_classes_on_their_own_have_a_loss_of_their_own(make_group) -> None:
    outputs, targets = make_group(classes=(4, 2))
    sigmoid = dataclasses.replace(outputs, activation='sigmoid')
    losses = SetCriterion()([sigmoid], [targets])
    (matched,) = match([sigmoid], [targets])
    wanted = torch.zeros(2, 4, 4, dtype=torch.float64)  # of the final layer, without no-object
    for b, t in (matched[-1] >= 0).nonzero().tolist():
        wanted[b, matched[-1, b, t], targets.labels[b, t]] = 1.0
    weight = torch.where(wanted.any(-1), 1.0, 0.1)[..., None] * outputs.valid[:, None, :-1]
    logits = outputs.class_logits[-1, ..., :-1].detach()
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, weight, reduction='sum')
    assert losses['loss_cls'].item() == pytest.approx(entropy.item() / weight[..., 0].sum().item())
    total(losses).backward()
    assert not outputs.class_logits.grad[..., -1].any()
    assert not outputs.class_logits.grad[:, 1, :, 2:].any()
    assert outputs.class_logits.grad[:, 0, :, :-1].all()


def test_wider_padding_of_classes_changes_nothing(make_group) -> None:
    outputs, targets = make_group(classes=(4, 2))
    logits, valid = outputs.class_logits, outputs.valid
    extra = torch.full((*logits.shape[:3], 3), 9.0, dtype=logits.dtype)
    wider = HeadOutputs(
        torch.cat([logits[..., :-1], extra, logits[..., -1:]], -1),
        outputs.mask_logits,
        torch.cat([valid[:, :-1], torch.zeros(2, 3, dtype=torch.bool), valid[:, -1:]], -1),
    )
    expected = SetCriterion()([outputs], [targets])
    assert numbers(SetCriterion()([wider], [targets])) == pytest.approx(numbers(expected))


def test_padding_of_images_changes_nothing(make_group) -> None:
    """Ignored rows below, where logits may be anything; a whole stride of them, so that the grids agree."""
    outputs, targets = make_group(classes=(4, 2), size=(8, 12), stride=1, ignored=0)
    rows = torch.randn(2, 2, 4, 3, 12, dtype=torch.float64)
    larger = dataclasses.replace(outputs, mask_logits=torch.cat([outputs.mask_logits, rows], 3))
    nothing = torch.zeros(2, 3, 12, dtype=torch.bool)
    padded = dataclasses.replace(
        targets,
        masks=torch.cat([targets.masks, nothing[:, None].expand(-1, targets.masks.shape[1], -1, -1)], 2),
        pixels=torch.cat([targets.pixels, nothing], 1),
    )
    expected = SetCriterion()([outputs], [targets])
    assert numbers(SetCriterion()([larger], [padded])) == pytest.approx(numbers(expected))


def test_order_of_queries_samples_and_targets_does_not_matter(make_group) -> None:
    outputs, targets = make_group(classes=(4, 2, 3))
    expected = SetCriterion()([outputs], [targets])
    queries, samples, slots = torch.randperm(4), torch.randperm(3), torch.randperm(targets.labels.shape[1])
    shuffled = HeadOutputs(
        outputs.class_logits[:, samples][:, :, queries],
        outputs.mask_logits[:, samples][:, :, queries],
        outputs.valid[samples],
    )
    reordered = Targets(
        targets.labels[samples][:, slots],
        targets.masks[samples][:, slots],
        targets.valid[samples][:, slots],
        targets.pixels[samples],
    )
    assert numbers(SetCriterion()([shuffled], [reordered])) == pytest.approx(numbers(expected))


def test_a_batch_without_any_target_trains_no_object_only(make_group) -> None:
    outputs, targets = make_group(classes=(4, 2), ignored=1.1)
    losses = SetCriterion()([outputs], [targets])
    probability = outputs.class_logits.masked_fill(~outputs.valid[:, None], -torch.inf).softmax(-1)[-1, ..., -1]
    assert losses['loss_cls'].item() == pytest.approx(-probability.log().mean().item())
    assert losses['loss_focal'].item() == losses['loss_dice'].item() == 0
    total(losses).backward()
    assert outputs.mask_logits.grad is not None  # distributed training waits for every gradient
    assert not outputs.mask_logits.grad.any()
    assert outputs.class_logits.grad.isfinite().all()


def test_no_target_and_no_weight_for_no_object_is_zero(make_group) -> None:
    losses = SetCriterion(no_object_weight=0.0)(*zip(make_group(ignored=1.1), strict=True))
    assert total(losses).item() == 0


@pytest.mark.parametrize(
    ('dtype', 'autocast'), [(torch.bfloat16, False), (torch.bfloat16, True), (torch.float32, True)]
)
def test_half_precision_is_lifted_to_float32(make_group, dtype, autocast) -> None:
    outputs, targets = make_group(classes=(4, 2), dtype=dtype)
    exact = HeadOutputs(outputs.class_logits.detach().double(), outputs.mask_logits.detach().double(), outputs.valid)
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        losses = SetCriterion()([outputs], [targets])
    assert all(loss.dtype == torch.float32 for loss in losses.values())
    expected = SetCriterion()([exact], [targets])
    assert numbers(losses) == pytest.approx(numbers(expected), rel=1e-5)
    total(losses).backward()
    assert outputs.mask_logits.grad.dtype == dtype
    assert outputs.mask_logits.grad.isfinite().all()


def test_float64_stays_float64(make_group) -> None:
    losses = SetCriterion()(*zip(make_group(), strict=True))
    assert all(loss.dtype == torch.float64 for loss in losses.values())


@pytest.mark.parametrize('second_ignored', [0.2, 1.1])
def test_the_mean_over_ranks_is_the_global_batch(make_group, monkeypatch, second_ignored) -> None:
    ranks = [make_group(classes=(4, 2)), make_group(classes=(3,), ignored=second_ignored)]
    expected = SetCriterion()(*zip(*ranks, strict=True))
    totals = [
        torch.stack(criterion.normalisers([output], [target], match([output], [target]), 0.1))
        for output, target in ranks
    ]
    if second_ignored > 1:
        totals[1][1] = 0  # alone, a rank without masks divides by 1
    calls = []

    def all_reduce(tensor: Tensor) -> None:
        calls.append(tensor)
        tensor.copy_(sum(totals))

    monkeypatch.setattr(criterion.dist, 'all_reduce', all_reduce)
    monkeypatch.setattr(criterion.dist, 'get_world_size', lambda: 2)
    by_rank = [SetCriterion()([output], [target]) for output, target in ranks]
    assert len(calls) == 2  # once per rank and step
    for key, value in expected.items():
        assert value.item() == pytest.approx(sum(losses[key].item() for losses in by_rank) / 2), key


def test_one_mask_among_many_ranks_counts_in_full(make_group, monkeypatch) -> None:
    outputs, targets = make_group(classes=(1,))
    alone = SetCriterion()([outputs], [targets])['loss_dice'].item()
    monkeypatch.setattr(criterion.dist, 'all_reduce', lambda tensor: None)  # the other ranks add nothing
    monkeypatch.setattr(criterion.dist, 'get_world_size', lambda: 4)
    assert SetCriterion()([outputs], [targets])['loss_dice'].item() / 4 == pytest.approx(alone)


def test_perfect_predictions_cost_nothing() -> None:
    seg = torch.arange(4).reshape(1, 2, 2).repeat_interleave(4, 1).repeat_interleave(4, 2)
    targets = semantic_targets(seg)
    order = torch.tensor([2, 0, 3, 1])
    masks = 60.0 * (2 * targets.masks[:, order].double() - 1)[None]
    classes = 60.0 * torch.eye(5, dtype=torch.float64)[order][None, None]
    losses = SetCriterion()([HeadOutputs(classes, masks, torch.ones(1, 5, dtype=torch.bool))], [targets])
    assert total(losses).item() == pytest.approx(0, abs=1e-12)


def weighted(targets: Targets, by_sample: Tensor) -> Targets:
    """Targets with the weights of the classes of each sample, [B, K]."""
    return dataclasses.replace(targets, weights=by_sample.gather(1, targets.labels))


def query_classes(outputs: HeadOutputs, targets: Targets, layer: int, cost: Cost = matching_cost) -> Tensor:
    """The class that each query of a layer is trained to, [B, N]."""
    (matched,) = match([outputs], [targets], cost)
    wanted = torch.full(outputs.class_logits.shape[1:3], outputs.class_logits.shape[-1] - 1)
    for b, t in (matched[layer] >= 0).nonzero().tolist():
        wanted[b, matched[layer, b, t]] = targets.labels[b, t]
    return wanted


@pytest.mark.parametrize('kind', [SetCriterion, PointCriterion])
@pytest.mark.parametrize('queries', [6, 2])
def test_classes_weigh_as_in_the_cross_entropy_of_torch(make_group, kind, queries) -> None:
    """Also with more targets than queries, where layers match targets of other weights."""
    outputs, targets = make_group(classes=(4, 4, 3), queries=queries, layers=3)
    weights = torch.tensor([1.0, 5.0, 0.25, 0.0, 0.1], dtype=torch.float64)  # the last is no-object
    torch.manual_seed(1)
    losses = kind(class_weight=2.0)([outputs], [weighted(targets, weights[:4].expand(3, -1))])
    torch.manual_seed(1)
    plain = kind(class_weight=2.0)([outputs], [targets])
    logits = outputs.class_logits.masked_fill(~outputs.valid[:, None], -torch.inf).detach()
    for layer in range(3):
        torch.manual_seed(1)
        wanted = query_classes(outputs, targets, layer, kind(class_weight=2.0).cost)
        expected = 2 * F.cross_entropy(logits[layer].flatten(0, 1), wanted.flatten(), weights)
        assert losses[f'd{layer}.loss_cls' if layer < 2 else 'loss_cls'].item() == pytest.approx(expected.item())
    for key in (key for key in plain if 'loss_cls' not in key):
        assert losses[key].equal(plain[key]), key  # masks, and which query is matched with which, do not change


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
@pytest.mark.parametrize('kind', [SetCriterion, PointCriterion])
def test_weights_of_one_change_no_bit(make_group, kind, activation) -> None:
    groups = [make_group(dtype=torch.float32), make_group(classes=(3,), size=(4, 8), dtype=torch.float32)]
    outputs = [dataclasses.replace(output, activation=activation) for output, _ in groups]
    plain = [targets for _, targets in groups]
    ones = [dataclasses.replace(targets, weights=torch.ones(targets.labels.shape)) for targets in plain]
    found = []
    for targets in (plain, ones):
        torch.manual_seed(2)
        losses = kind()(outputs, targets)
        leaves = [output.class_logits for output in outputs]
        found.append([*losses.values(), *torch.autograd.grad(total(losses), leaves)])
    assert all(one.equal(other) for one, other in zip(*found, strict=True))


def test_each_sample_weighs_by_the_classes_of_its_own_space(make_group) -> None:
    outputs, targets = make_group(classes=(4, 2))
    of_spaces = torch.tensor([[1.0, 3.0, 1.0, 0.5], [7.0, 2.0, 1.0, 1.0]], dtype=torch.float64)
    losses = SetCriterion()([outputs], [weighted(targets, of_spaces)])
    wanted = query_classes(outputs, targets, -1)
    weight = torch.cat([of_spaces, torch.full((2, 1), 0.1, dtype=torch.float64)], 1).gather(1, wanted)
    logits = outputs.class_logits[-1].masked_fill(~outputs.valid[:, None], -torch.inf).detach()
    entropy = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction='none').unflatten(0, wanted.shape)
    assert losses['loss_cls'].item() == pytest.approx(((weight * entropy).sum() / weight.sum()).item())
    apart = [select(outputs, targets, b) for b in range(2)]
    in_groups = [weighted(target, of_spaces[b : b + 1]) for b, (_, target) in enumerate(apart)]
    again = SetCriterion()([output for output, _ in apart], in_groups)
    assert numbers(again) == pytest.approx(numbers(losses))


def test_a_query_of_several_classes_weighs_as_its_target(make_group) -> None:
    outputs, targets = make_group(classes=(4, 2))
    outputs = dataclasses.replace(outputs, activation='sigmoid')
    weights = torch.tensor([2.0, 0.5, 3.0, 1.0, 0.1], dtype=torch.float64)
    losses = SetCriterion()([outputs], [weighted(targets, weights[:4].expand(2, -1))])
    wanted = query_classes(outputs, targets, -1)
    one_hot = F.one_hot(wanted, 5)[..., :-1].double()
    weight = weights[wanted]  # [B, N]
    logits = outputs.class_logits[-1, ..., :-1].detach()
    entropy = F.binary_cross_entropy_with_logits(logits, one_hot, reduction='none') * outputs.valid[:, None, :-1]
    assert losses['loss_cls'].item() == pytest.approx(((weight * entropy.sum(-1)).sum() / weight.sum()).item())


def test_only_targets_that_weigh_nothing_are_no_loss_of_classes(make_group) -> None:
    outputs, targets = make_group()
    losses = SetCriterion(no_object_weight=0.0)([outputs], [weighted(targets, torch.zeros(2, 4))])
    assert losses['loss_cls'].item() == 0
    assert losses['loss_dice'].item() > 0
