from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmlmseg.models.criterion import losses as module
from mmlmseg.models.criterion.losses import (
    class_losses,
    mask_losses,
    point_losses,
    signed_targets,
)
from mmlmseg.models.numerics import ClassActivation


def plain_mask_losses(logits: Tensor, masks: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The definition, left to autograd: logits [M, h, w], masks and pixels [M, H, W]."""
    logits = F.interpolate(logits[:, None], size=masks.shape[1:], mode='bilinear', align_corners=False)[:, 0]
    p, t, c = logits.sigmoid(), (masks & pixels).to(logits), pixels.to(logits)
    inside, outside = 0.25 * (1 - p) ** 2 * F.softplus(-logits), 0.75 * p**2 * F.softplus(logits)
    focal = (inside * t + outside * (c - t)).sum((1, 2)) / c.sum((1, 2)).clamp(min=1)
    return focal, 1 - (2 * (p * t).sum((1, 2)) + 1) / ((p * c).sum((1, 2)) + t.sum((1, 2)) + 1)


@pytest.fixture
def matched() -> tuple[Tensor, ...]:
    """Logits, masks, pixels, sample and slot of seven matched masks; sample 2 has no counted pixel."""
    logits = (3 * torch.randn(7, 5, 6, dtype=torch.float64)).requires_grad_()
    masks, pixels = torch.rand(3, 4, 9, 14) < 0.4, torch.rand(3, 9, 14) < 0.8
    pixels[2] = False
    return logits, masks, pixels, torch.tensor([0, 1, 2, 0, 1, 2, 0]), torch.tensor([0, 1, 2, 3, 3, 0, 2])


def test_mask_losses_are_those_of_double_loops(matched, brute_force) -> None:
    logits, masks, pixels, sample, slot = matched
    focal, dice = mask_losses(logits, signed_targets(masks, pixels), sample, slot)
    for m, (b, t) in enumerate(zip(sample, slot, strict=True)):
        full = brute_force.bilinear(logits[m].detach(), (9, 14))
        assert focal[m].item() == pytest.approx(brute_force.focal(full, masks[b, t], pixels[b]), rel=1e-12)
        assert dice[m].item() == pytest.approx(brute_force.dice(full, masks[b, t], pixels[b]), rel=1e-12)


@pytest.mark.parametrize('chunk', [1, 2**18])
@pytest.mark.parametrize(('dtype', 'atol'), [(torch.float64, 1e-15), (torch.float32, 2e-7)])
def test_mask_losses_have_the_gradients_of_autograd(matched, monkeypatch, chunk, dtype, atol) -> None:
    monkeypatch.setattr(module, 'CHUNK_CPU', chunk)
    logits, masks, pixels, sample, slot = matched
    logits = logits.detach().to(dtype).requires_grad_()
    upstream = torch.randn(2, 7, dtype=dtype)
    ours = torch.stack(mask_losses(logits, signed_targets(masks, pixels), sample, slot))
    plain = torch.stack(plain_mask_losses(logits, masks[sample, slot], pixels[sample]))
    torch.testing.assert_close(ours, plain, rtol=1e-6 if dtype == torch.float32 else 1e-13, atol=atol)
    torch.testing.assert_close(
        torch.autograd.grad(ours, logits, upstream)[0],
        torch.autograd.grad(plain, logits, upstream)[0],
        rtol=0,
        atol=atol,
    )
    assert ours.dtype == dtype


def test_mask_losses_pass_gradcheck(matched) -> None:
    logits, masks, pixels, sample, slot = matched
    signs = signed_targets(masks, pixels)
    assert torch.autograd.gradcheck(lambda x: mask_losses(x, signs, sample, slot), logits)


def test_ignored_pixels_are_in_no_mask_loss(matched) -> None:
    _, masks, pixels, sample, slot = matched
    logits = torch.randn(7, 9, 14, dtype=torch.float64).requires_grad_()
    focal, dice = mask_losses(logits, signed_targets(masks, pixels), sample, slot)
    (focal.sum() + dice.sum()).backward()
    assert not logits.grad[~pixels[sample]].any()
    assert logits.grad[pixels[sample]].all()
    other = torch.where(pixels[sample], logits, 5.0)
    again = mask_losses(other, signed_targets(masks | ~pixels[:, None], pixels), sample, slot)
    torch.testing.assert_close(again, (focal, dice))


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([[[200.0, -200.0], [200.0, -200.0]]]).requires_grad_()
    masks = torch.tensor([[[[True, True], [False, False]]]])
    zero = torch.zeros(1, dtype=torch.long)
    focal, dice = mask_losses(logits, signed_targets(masks, masks.any(1) | True), zero, zero)
    (focal + dice).sum().backward()
    assert focal.item() == pytest.approx((0.25 * 200 + 0.75 * 200) / 4)
    assert dice.item() == pytest.approx(1 - 3 / 5)
    # The slope of the focal loss far on the wrong side is alpha, or 1 - alpha.
    torch.testing.assert_close(logits.grad, torch.tensor([[[0.0, -0.25 / 4], [0.75 / 4, 0.0]]]))


def test_no_mask_matched_keeps_the_graph() -> None:
    logits = torch.randn(2, 5, 6).requires_grad_()
    none = torch.zeros(0, dtype=torch.long)
    signs = signed_targets(torch.zeros(1, 0, 9, 9, dtype=torch.bool), torch.zeros(1, 9, 9, dtype=torch.bool))
    focal, dice = mask_losses(logits[none], signs, none, none)
    (focal.sum() + dice.sum()).backward()
    assert logits.grad is not None
    assert not logits.grad.any()


def test_without_gradients_the_values_are_the_same(matched) -> None:
    logits, masks, pixels, sample, slot = matched
    signs = signed_targets(masks, pixels)
    torch.testing.assert_close(
        mask_losses(logits.detach(), signs, sample, slot), mask_losses(logits, signs, sample, slot)
    )


def test_signed_targets() -> None:
    masks = torch.tensor([[[[True, False, True, False]]]])
    pixels = torch.tensor([[[True, True, False, False]]])
    assert signed_targets(masks, pixels).tolist() == [[[[-1, 1, 0, 0]]]]
    assert signed_targets(masks, pixels).dtype == torch.int8


def test_point_losses_are_the_definitions_over_the_counted_points() -> None:
    logits = (3 * torch.randn(5, 30, dtype=torch.float64)).requires_grad_()
    inside, counted = torch.rand(5, 30) < 0.4, torch.rand(5, 30) < 0.7
    entropy, dice = point_losses(logits, inside, counted)
    for m in range(5):
        z, t = logits[m, counted[m]], inside[m, counted[m]].double()
        p = z.sigmoid()
        assert entropy[m].item() == pytest.approx(F.binary_cross_entropy(p, t).item())
        assert dice[m].item() == pytest.approx((1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)).item())
    assert torch.autograd.gradcheck(lambda x: point_losses(x, inside, counted), logits)
    (entropy.sum() + dice.sum()).backward()
    assert not logits.grad[~counted].any()
    assert logits.grad[counted].all()


def test_point_losses_stay_finite() -> None:
    """Where no point counts, and at extreme logits."""
    logits = torch.tensor([[5.0, -5.0], [200.0, -200.0]]).requires_grad_()
    counted = torch.tensor([[False, False], [True, True]])
    entropy, dice = point_losses(logits, torch.tensor([[True, True], [False, True]]), counted)
    assert entropy.tolist() == [0, 200]
    assert dice.tolist() == pytest.approx([0, 1 - 1 / 3])
    (entropy + dice).sum().backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[0.0, 0.0], [0.5, -0.5]]))


def test_class_losses_are_the_weighted_cross_entropy() -> None:
    logits = torch.randn(3, 2, 5, 7, dtype=torch.float64)
    logits[:, 1, :, 3:6] = -torch.inf
    classes = torch.randint(0, 3, (3, 2, 5))
    classes[torch.rand(classes.shape) < 0.5] = 6
    weight = torch.ones(7, dtype=torch.float64)
    weight[6] = 0.1
    got = class_losses(logits, classes, 0.1)
    doubled = class_losses(logits, classes, 0.2, weights=torch.full((3, 2, 5), 2.0))
    torch.testing.assert_close(doubled, 2 * got)
    for layer in range(3):
        expected = F.cross_entropy(logits[layer].flatten(0, 1), classes[layer].flatten(), weight, reduction='sum')
        assert got[layer].item() == pytest.approx(expected.item())


def test_class_losses_of_classes_on_their_own() -> None:
    """A binary cross entropy for each valid class of each query; what stands for no-object is not read."""
    logits = 3 * torch.randn(3, 2, 5, 7, dtype=torch.float64)
    logits[:, 1, :, 3:6] = -torch.inf
    classes = torch.randint(0, 3, (3, 2, 5))
    classes[torch.rand(classes.shape) < 0.5] = 6
    got = class_losses(logits, classes, 0.1, 'sigmoid')
    for layer, own in enumerate(logits.tolist()):
        expected = 0.0
        for b, n in itertools.product(range(2), range(5)):
            wanted = int(classes[layer, b, n])
            for k in range(6 if b == 0 else 3):
                p = 1 / (1 + math.exp(-own[b][n][k]))
                expected -= (0.1 if wanted == 6 else 1.0) * math.log(p if k == wanted else 1 - p)
        assert got[layer].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_class_losses_pass_gradcheck_beside_masked_columns(activation: ClassActivation) -> None:
    valid = torch.tensor([True, True, False, True])
    classes = torch.tensor([[[0, 3, 1]]])
    logits = torch.randn(1, 1, 3, 4, dtype=torch.float64).requires_grad_()

    def loss(x: Tensor) -> Tensor:
        return class_losses(x.masked_fill(~valid, -torch.inf), classes, 0.1, activation)

    assert torch.autograd.gradcheck(loss, logits)
    (grad,) = torch.autograd.grad(loss(logits).sum(), logits)
    assert grad.isfinite().all()
    assert not grad[..., 2].any()
    assert bool(grad[..., 3].any()) == (activation == 'softmax')
