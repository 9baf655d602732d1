"""PresenceScores of classes: compared with loops, and what decoders and classifiers make of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from mmlmseg.errors import OptionError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.decoders.category_guided import CategoryGuidedDecoder
from mmlmseg.models.head.presence_scores import RARE, TAU, PresenceScores, lowered
from mmlmseg.models.structures import Categories, MemoryLevel
from mmlmseg.registry import MODELS

B, S, K, P, C = 2, 3, 5, 6, 8


@pytest.fixture
def level() -> MemoryLevel:
    torch.manual_seed(0)
    padding = torch.zeros(B, P, dtype=torch.bool)
    padding[1, 4:] = True
    return MemoryLevel(torch.randn(B, P, C), torch.randn(B, P, C), padding, (2, 3))


def listed(valid: torch.Tensor) -> Categories:
    torch.manual_seed(1)
    rows = torch.randn(*valid.shape, C) * valid[..., None]
    return Categories(('a',) * len(valid), valid, rows)


def test_logits_are_those_of_a_loop(level: MemoryLevel) -> None:
    presence = PresenceScores(C, top=2)
    categories = listed(torch.ones(B * S, K + 1, dtype=torch.bool))
    found = presence([level], categories)
    assert found.shape == (B * S, K)
    assert categories.rows is not None
    for sample in range(B * S):
        image = sample // S  # the samples of an image lie side by side
        pixels = presence.project(level.value[image][~level.padding[image]])
        for label in range(K):
            alike = torch.cosine_similarity(pixels, categories.rows[sample, label][None], dim=-1) / TAU
            expected = math.log(alike.exp().mean().item()) + RARE
            assert found[sample, label].item() == pytest.approx(expected, abs=1e-4)


def test_the_likeliest_guide_and_first_of_all_what_is_there() -> None:
    presence = PresenceScores(C, top=2)
    valid = torch.tensor([[True] * 5 + [True], [True, True, True, False, False, True], [True] + [False] * 4 + [True]])
    logits = torch.tensor([[0.0, 3.0, 1.0, 2.0, -1.0], [0.0, 1.0, 2.0, 9.0, 9.0], [0.0, 5.0, 5.0, 5.0, 5.0]])
    seen = presence.guiding(logits, listed(valid))
    assert seen.valid[:, :-1].tolist() == [
        [False, True, False, True, False],
        [False, True, True, False, False],
        [True, False, False, False, False],  # fewer than there is room for
    ]
    assert seen.valid[:, -1].all()
    assert seen.rows is not None
    assert torch.equal(seen.rows.any(-1), seen.valid)
    present = torch.zeros(3, 5, dtype=torch.bool)
    present[0, 4] = True
    seen = presence.guiding(logits, replace(listed(valid), present=present))
    assert seen.valid[0].tolist() == [False, True, False, False, True, True]


def test_a_list_within_room_is_read_as_it_is() -> None:
    categories = listed(torch.ones(2, K + 1, dtype=torch.bool))
    seen = PresenceScores(C, top=K).guiding(torch.randn(2, K), categories)
    assert torch.equal(seen.valid, categories.valid)
    assert torch.equal(seen.rows, categories.rows)


def test_the_loss_counts_what_stands_on_the_lists() -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    valid = torch.tensor([[True, True, False], [True, True, True]])
    present = torch.tensor([[True, False, False], [False, True, True]])
    loss = PresenceScores(C, top=2).loss(logits, valid, present)
    terms = [
        -math.log(torch.sigmoid(logit if there else -logit).item())
        for logit, listed, there in zip(logits.flatten(), valid.flatten(), present.flatten())
        if listed
    ]
    assert loss.item() == pytest.approx(sum(terms) / 3, abs=1e-5)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0, 2] == 0


@pytest.fixture
def make(model_config: Callable[..., dict[str, Any]], spaces: list[LabelSpace]) -> Callable[..., Any]:
    def build(**head: Any) -> Any:
        torch.manual_seed(0)
        model = MODELS.build(model_config(spaces, **head))
        model.init_weights()
        return model

    return build


def packed(model: Any, samples: list[dict[str, Any]], training: bool) -> Any:
    return model.data_preprocessor({key: [copy.deepcopy(s[key]) for s in samples] for key in samples[0]}, training)


def test_a_training_step_guides_by_few_and_learns_presence(
    make: Any, make_sample: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make(presence=dict(top=3), drop_absent=0.2).train()
    read: list[int] = []
    forward = CategoryGuidedDecoder.forward

    def recorded(self: Any, content: Any, position: Any, memory: Any, categories: Any, masks_at: Any) -> Any:
        read.extend(categories.valid.sum(1).tolist())
        return forward(self, content, position, memory, categories, masks_at)

    monkeypatch.setattr(CategoryGuidedDecoder, 'forward', recorded)
    losses = model.loss(**packed(model, [make_sample('street'), make_sample('facade', seed=1)], True))
    assert max(read) <= 4
    sum(losses.values()).backward()
    assert losses['loss_presence'] > 0
    assert all(p.grad is not None and p.grad.any() for p in model.decode_head.presence.parameters())


@torch.no_grad()
def test_several_label_spaces_at_once_say_what_each_says_alone(make: Any, make_sample: Any) -> None:
    head = make(presence=dict(top=2)).eval().decode_head
    feats = [
        torch.randn(2, width, 64 // stride, 64 // stride) for width, stride in zip(head.in_channels, (4, 8, 16, 32))
    ]
    metas = [dict(img_shape=(64, 64), batch_input_shape=(64, 64))] * 2
    names = ['street', 'facade']
    both = head(feats, metas, head.categories(names * 2))
    for i, name in enumerate(names):
        alone = head(feats, metas, head.categories([name] * 2, width=both.valid.shape[1] - 1))
        torch.testing.assert_close(both.class_logits[:, i::2], alone.class_logits)
        torch.testing.assert_close(both.mask_logits[:, i::2], alone.mask_logits)


@torch.no_grad()
def test_what_is_absent_is_no_class_of_a_query() -> None:
    found = lowered(torch.zeros(1, 1, 2, 3), torch.tensor([[-30.0, 30.0]]))
    torch.testing.assert_close(found, torch.tensor([-30.0, 0.0, 0.0]).expand(1, 1, 2, 3))


@pytest.mark.parametrize(
    ('head', 'message'),
    [
        (dict(presence=dict(top=0)), 'presence.top is 0; it must be a whole number from 1'),
        (dict(presence=dict(top=4), classifier=dict(type='mmlmseg.LinearClassifier')), 'not one with LinearClassifier'),
    ],
)
def test_what_cannot_be_is_refused(make: Any, head: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make(**head)
