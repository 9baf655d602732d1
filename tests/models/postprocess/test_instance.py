"""Instances against a loop over queries and classes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmlmseg.label_space import LabelSpace
from mmlmseg.models.numerics import class_probabilities
from mmlmseg.models.postprocess.instance import instances
from mmlmseg.models.postprocess.view import View
from mmlmseg.models.structures import Prediction

META = dict(img_shape=(12, 16), ori_shape=(12, 16))


def by_loop(logits, valid, masks, things, most) -> list[tuple[int, float, torch.Tensor]]:
    probability = logits.masked_fill(~valid, -torch.inf).softmax(-1)
    pairs = [
        (float(probability[n, k]), n, k)
        for n in range(len(logits))
        for k in range(logits.shape[1] - 1)
        if things[k] and valid[k]
    ]
    found = []
    for score, n, k in sorted(pairs, reverse=True)[:most]:
        mask = F.interpolate(masks[n][None, None], (12, 16), mode='bilinear', align_corners=False)[0, 0]
        if (mask > 0).any():
            found.append((k, score * float(mask.sigmoid()[mask > 0].mean()), mask > 0))
    return sorted(found, key=lambda one: -one[1])


@pytest.mark.parametrize('most', [3, 100])
def test_equals_a_loop(most: int) -> None:
    for seed in range(10):
        torch.manual_seed(seed)
        logits = torch.randn(5, 5, dtype=torch.float64)
        masks = torch.randn(5, 3, 4, dtype=torch.float64)
        masks[0] = -1.0  # nowhere
        valid = torch.tensor([True, True, False, True, True])
        things = torch.tensor([True, False, True, True])
        space = LabelSpace.create('one', ['a', 'b', 'c', 'd'], things=['a', 'c', 'd'])
        own = Prediction(class_probabilities(logits, valid, 'softmax'), masks, space)
        found = instances(own, View((12, 16), META), most)
        expected = by_loop(logits, valid, masks, things, most)
        assert found.labels.tolist() == [label for label, _, _ in expected]
        assert found.scores.tolist() == pytest.approx([score for _, score, _ in expected], abs=1e-12)
        assert all(torch.equal(mask, own) for mask, (_, _, own) in zip(found.masks, expected, strict=True))


def test_without_things_there_are_no_instances() -> None:
    own = Prediction(torch.rand(5, 4), torch.randn(5, 3, 4), LabelSpace.create('one', ['a', 'b', 'c']))
    found = instances(own, View((12, 16), META), 100)
    assert found.masks.shape == (0, 12, 16)
    assert found.labels.shape == found.scores.shape == (0,)
