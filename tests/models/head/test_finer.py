from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS
from torch import Tensor

from mmlmseg.errors import CheckpointError, LabelSpaceError, OptionError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.head.finer import sum_finer
from mmlmseg.models.numerics import class_probabilities

FINE = LabelSpace.create('fine', ['sky', 'building', 'wall', 'car'])
COARSE = LabelSpace.create('coarse', ['sky', 'structure', 'vehicle'])
RELATIONS: dict[str, Any] = dict(
    inside=[['fine:building', 'coarse:structure'], ['fine:wall', 'coarse:structure'], ['fine:car', 'coarse:vehicle']]
)


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_probabilities_are_those_of_any_member(activation: Any) -> None:
    logits = 5 * torch.randn(2, 2, 3, 5, dtype=torch.double)  # K = 4
    finer = 5 * torch.randn(2, 2, 3, 3, dtype=torch.double)
    holds: list[list[list[int]]] = [[[], [0, 2], [1], [], []], [[0], [], [], [], []]]
    members = torch.full((2, 5, 2), 3)
    for sample, classes in enumerate(holds):
        for column, own in enumerate(classes):
            members[sample, column, : len(own)] = torch.tensor(own, dtype=torch.long)
    found = sum_finer(logits, finer, members, activation)
    valid = torch.ones(2, 5, dtype=torch.bool)
    probability = class_probabilities(found, valid, activation)
    for layer, sample, query in torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(3)).tolist():
        own = logits[layer, sample, query].tolist()
        more = finer[layer, sample, query].tolist()
        held = [[own[c], *(more[m] for m in holds[sample][c])] for c in range(5)]
        if activation == 'softmax':
            total = sum(math.exp(z) for classes in held for z in classes)
            expected = [sum(map(math.exp, classes)) / total for classes in held]
        else:
            expected = [1 - math.prod(1 - 1 / (1 + math.exp(-z)) for z in classes) for classes in held[:-1]]
        got = probability[layer, sample, query, : len(expected)].tolist()
        assert got == pytest.approx(expected, abs=1e-12)
    alone = (members == 3).all(-1)[None, :, None].expand(logits.shape)
    assert found[alone].equal(logits[alone])  # to the bit


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_gradients_are_finite_and_right(activation: Any) -> None:
    logits = torch.randn(1, 1, 2, 3, dtype=torch.double, requires_grad=True)
    finer = torch.randn(1, 1, 2, 2, dtype=torch.double, requires_grad=True)
    members = torch.tensor([[[0, 1], [2, 2], [2, 2]]])
    assert torch.autograd.gradcheck(lambda *z: sum_finer(*z, members, activation), (logits, finer))
    far = torch.full((1, 1, 1, 3), -200.0, requires_grad=True)
    sum_finer(far, torch.full((1, 1, 1, 2), 200.0), members, activation).sum().backward()
    assert far.grad is not None
    assert far.grad.isfinite().all()


def head_of(model_config: Any, **options: Any) -> Any:
    config = model_config([FINE, COARSE], **options)['decode_head']
    return MODELS.build(config)


def test_a_coarse_class_reads_the_names_of_the_finer_ones(model_config: Any) -> None:
    head = head_of(model_config, relations=RELATIONS).eval()
    plain = head.categories(['fine'])
    assert plain.finer is None  # nothing is finer than its classes
    asked = head.categories(['coarse', 'fine'])
    finer = asked.finer
    assert asked.rows.shape[1] == 5
    assert finer.members[0].tolist() == [[3, 3], [0, 1], [2, 3], [3, 3], [3, 3]]
    assert (finer.members[1] == 3).all()
    assert finer.rows[0].equal(plain.rows[0, 1:4])  # building, wall, car
    assert not finer.rows[1].any()
    first, second = asked.split([1, 1])
    assert first.finer.rows.equal(finer.rows[:1])
    assert second.finer.members.equal(finer.members[1:])

    queries = torch.randn(1, 2, 6, 32)
    with torch.no_grad():
        logits = head.class_logits(queries, asked)
        own = head.classifier(queries, asked)
        of_finer = head.classifier(queries, plain.restricted(torch.ones(1, 4, dtype=torch.bool)))[:, :1]

    assert logits[:, 1].equal(own[:, 1])
    together = torch.cat([own[:, 0, :, 1:2], of_finer[:, 0, :, 1:3]], -1).logsumexp(-1)
    torch.testing.assert_close(logits[:, 0, :, 1], together)


def test_coarse_labels_teach_finer_names(model_config: Any, make_sample: Any) -> None:
    def gradient(**options: Any) -> Tensor:
        torch.manual_seed(0)
        head = head_of(model_config, **options).train()
        queries = torch.randn(1, 1, 6, 32)
        categories = head.categories(['coarse'])
        head.class_logits(queries, categories)[..., 1].sum().backward()
        return head.text.adapter.weight.grad

    assert not gradient(relations=RELATIONS).allclose(gradient())


def test_an_unrelated_model_stays_as_it_was(model_config: Any) -> None:
    head = head_of(model_config).eval()
    other = LabelSpace.create('other', ['dog'])
    torch.manual_seed(0)
    related = MODELS.build(model_config([FINE, COARSE, other], relations=RELATIONS)['decode_head']).eval()
    assert related.categories(['other']).finer is None
    assert head.categories(['coarse']).finer is None


def test_predictions_need_the_relations_of_the_training(model_config: Any) -> None:
    def model(**options: Any) -> Any:
        return MODELS.build(model_config([FINE, COARSE], **options)).eval()

    related = model(relations=RELATIONS)
    state = related.state_dict()
    same = model(relations=RELATIONS)
    same.load_state_dict(state)
    with same.answering():
        pass
    without = model()
    without.load_state_dict(state)
    message = r'trained with other relations.*fine:building.*there, \{\} here'
    with pytest.raises(CheckpointError, match=message), without.answering():
        pass
    old = model().state_dict()
    related.load_state_dict(old)  # a training may start from it
    with pytest.raises(CheckpointError, match='trained with other relations'), related.answering():
        pass


def test_models_without_text_refuse_relations(model_config: Any) -> None:
    with pytest.raises(OptionError, match='decode_head.relations.*not one with LinearClassifier'):
        head_of(model_config, text=False, relations=RELATIONS)


def test_unknown_classes_are_refused_when_the_model_is_built(model_config: Any) -> None:
    with pytest.raises(LabelSpaceError, match='coarse:structures.*Did you mean: coarse:structure'):
        head_of(model_config, relations=dict(inside=[['fine:wall', 'coarse:structures']]))
