from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmlmseg.label_space import LabelSpace
from mmlmseg.models.numerics import class_probabilities
from mmlmseg.models.postprocess.semantic import all_scores, class_map, class_scores
from mmlmseg.models.structures import Prediction

SPACE = LabelSpace.create('one', ['a', 'b', 'c', 'd'])


def probabilities(
    class_logits: torch.Tensor, valid: torch.Tensor, mask_logits: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    classes = class_probabilities(class_logits, valid, 'softmax')
    given = [Prediction(own, masks, SPACE) for own, masks in zip(classes, mask_logits, strict=True)]
    return torch.stack([all_scores(class_scores(own, size)) for own in given])


def predictions(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    valid = torch.tensor([[True] * 5, [True, True, False, False, True]])
    return torch.randn(2, 6, 5, dtype=dtype), valid, torch.randn(2, 6, 4, 5, dtype=dtype)


def test_probabilities_are_a_sum_over_queries() -> None:
    class_logits, valid, mask_logits = predictions()
    got = probabilities(class_logits, valid, mask_logits, (9, 12))
    assert got.shape == (2, 4, 9, 12)
    for b in range(2):
        classes = class_logits[b][:, valid[b]].softmax(-1)
        masks = F.interpolate(mask_logits[b : b + 1], size=(9, 12), mode='bilinear', align_corners=False)[0].sigmoid()
        own = int(valid[b].sum()) - 1
        expected = torch.zeros(own, 9, 12, dtype=torch.float64)
        for n in range(6):
            for k in range(own):
                expected[k] += classes[n, k] * masks[n]
        torch.testing.assert_close(got[b, :own], expected)
        assert not got[b, own:].any()


def test_no_object_takes_its_share() -> None:
    class_logits, valid, mask_logits = predictions()
    class_logits[..., -1] = 100
    assert probabilities(class_logits, valid, mask_logits, (4, 5)).max() < 1e-30


def test_columns_of_other_spaces_change_nothing() -> None:
    class_logits, valid, mask_logits = predictions()
    own = [0, 1, -1]
    alone = probabilities(class_logits[1:, :, own], valid[1:, own], mask_logits[1:], (8, 10))
    torch.testing.assert_close(probabilities(class_logits, valid, mask_logits, (8, 10))[1:, :2], alone)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
def test_half_precision_is_lifted_to_float32(dtype: torch.dtype) -> None:
    class_logits, valid, mask_logits = predictions(dtype)
    with torch.autocast('cpu', torch.bfloat16):
        got = probabilities(class_logits, valid, mask_logits, (8, 10))
    assert got.dtype == torch.float32
    exact = probabilities(class_logits.double(), valid, mask_logits.double(), (8, 10))
    torch.testing.assert_close(got.double(), exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('ori_shape', [(96, 128), (150, 211), (40, 60)])
@pytest.mark.parametrize('num_classes', [3, 300])
def test_the_class_map_is_that_of_the_plain_formula(ori_shape: tuple[int, int], num_classes: int) -> None:
    """In float32, with as many classes as make many strips."""
    classes = torch.randn(20, num_classes + 1).mul(2).softmax(-1)
    mask_logits = 4 * torch.randn(20, 24, 32)
    meta = dict(img_shape=(96, 120), ori_shape=ori_shape)
    masks = F.interpolate(mask_logits[None], size=(96, 128), mode='bilinear', align_corners=False)[0].sigmoid()
    scores = torch.einsum('nk,nhw->khw', classes[:, :-1], masks)[:, :96, :120]
    expected = F.interpolate(scores[None], size=ori_shape, mode='bilinear', align_corners=False)[0].argmax(0)
    space = LabelSpace.create('one', [f'class {k}' for k in range(num_classes)])
    found = class_map(class_scores(Prediction(classes, mask_logits, space), (96, 128)).restore(meta))
    assert found.dtype == torch.long
    assert torch.equal(found, expected)
