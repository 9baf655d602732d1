"""All but the named parameters of a model stay as they are; how a space is learned so is in test_add_label_space.py."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.registry import HOOKS, MODEL_WRAPPERS, MODELS
from torch import nn

from mmlmseg.engine import FreezeHook
from mmlmseg.errors import CheckpointError, LabelSpaceError, OptionError

QUERIES = dict(type='mmlmseg.LabelSpaceQueries', num_queries=8)
DECODER = dict(
    type='mmlmseg.MaskedAttentionDecoder', num_levels=1, num_layers=1, num_heads=4, ffn_channels=32, dropout=0.1
)


@pytest.fixture
def runner(model_config: Callable[..., dict[str, Any]]) -> SimpleNamespace:
    """With a model of the label spaces street and facade, whose stem is frozen in any case."""
    config = model_config(queries=QUERIES, decoder=DECODER)
    config['backbone'].update(frozen_stages=0, norm_cfg=dict(type='BN'))
    return SimpleNamespace(model=MODELS.build(config))


def start(runner: SimpleNamespace, *trained: str) -> FreezeHook:
    hook = HOOKS.build(dict(type='mmlmseg.FreezeHook', trained=list(trained)))
    hook.after_load_checkpoint(runner, {})
    hook.before_train(runner)
    return hook


def data(make_sample: Callable[..., dict[str, Any]], *asked: tuple[str, ...]) -> dict[str, Any]:
    return dict(data_samples=[make_sample('street', label_spaces=spaces)['data_samples'] for spaces in asked])


def wanted(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_training_steps_change_nothing_else(runner: SimpleNamespace, make_sample) -> None:
    model = runner.model
    before = wanted(model)
    assert not any(name.startswith('backbone.conv1') for name in before)
    hook = start(runner, 'decode_head.queries.own.1')
    assert wanted(model) == before
    for leave in (hook.before_val, hook.after_train):
        for _ in range(2):
            model.train()  # what the loop does before each step
            hook.before_train_iter(runner, 0, data(make_sample, ('facade',), ('street', 'facade')))
            assert not any(module.training for module in model.modules())
            assert wanted(model) == {'decode_head.queries.own.1'}
        leave(runner)
        assert wanted(model) == before


def test_a_name_ends_at_a_dot(runner: SimpleNamespace) -> None:
    runner.model.decode_head.queries.own.extend([runner.model.decode_head.queries.own[0]] * 9)
    runner.model.decode_head.queries.own[10] = nn.Parameter(runner.model.decode_head.queries.own[1].detach())
    hook = start(runner, 'decode_head.queries.own.1')
    assert any(parameter is runner.model.decode_head.queries.own[10] for parameter in hook._frozen)
    assert not any(parameter is runner.model.decode_head.queries.own[1] for parameter in hook._frozen)


def test_what_matches_nothing_is_refused(runner: SimpleNamespace) -> None:
    message = r"begins with 'decode_head\.queries\.own\.2'\. Did you mean: .*decode_head\.queries\.own\.[01]"
    with pytest.raises(OptionError, match=message):
        start(runner, 'decode_head.queries.own.1', 'decode_head.queries.own.2')
    with pytest.raises(OptionError, match='no parameter that can be trained begins with'):
        start(runner, 'backbone.conv1')  # is there, but frozen


def test_a_model_without_trained_weights_is_refused(runner: SimpleNamespace) -> None:
    with pytest.raises(
        CheckpointError, match=r'decode_head\.queries of a model that holds no trained weights.*load_from'
    ):
        FreezeHook(['decode_head.queries']).before_train(runner)


def test_samples_that_teach_nothing_are_refused(runner: SimpleNamespace, make_sample) -> None:
    samples = data(make_sample, ('facade',), ('street',))
    message = r"street0\.jpg is labelled in 'street', whose .* frozen; only facade are trained: name no other datasets"
    with pytest.raises(LabelSpaceError, match=message):
        start(runner, 'decode_head.queries.own.1').before_train_iter(runner, 0, samples)
    for shared in ('decode_head.queries', 'decode_head.decoder'):
        hook = start(runner, 'decode_head.queries.own.1', shared)
        hook.before_train_iter(runner, 0, samples)
        hook.after_train(runner)


def keep(runner: SimpleNamespace, *frozen: str) -> Any:
    hook = HOOKS.build(dict(type='mmlmseg.FreezePartsHook', frozen=list(frozen)))
    hook.before_train(runner)
    return hook


def test_named_parts_stay_and_all_else_learns(runner: SimpleNamespace) -> None:
    model = runner.model
    before = wanted(model)
    hook = keep(runner, 'backbone', 'decode_head.queries.own.1')
    assert wanted(model) == before
    for leave in (hook.before_val, hook.after_train):
        model.train()
        hook.before_train_iter(runner, 0, {})
        assert not any(module.training for module in model.backbone.modules())
        assert model.decode_head.decoder.training
        assert wanted(model) == {
            name for name in before if not name.startswith('backbone.') and name != 'decode_head.queries.own.1'
        }
        leave(runner)
        assert wanted(model) == before


def test_parts_that_are_not_there_or_are_all_are_refused(runner: SimpleNamespace) -> None:
    with pytest.raises(OptionError, match=r"begins with 'backbon'\. Did you mean: .*backbone"):
        keep(runner, 'backbon')
    with pytest.raises(OptionError, match='backbone, decode_head is all that can be trained'):
        keep(runner, 'backbone', 'decode_head')


@pytest.mark.parametrize('freeze', [keep, start])
def test_several_processes_have_to_be_told(
    runner: SimpleNamespace, freeze: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrapped(nn.Module):
        def __init__(self, unused: bool) -> None:
            super().__init__()
            self.module, self.find_unused_parameters = runner.model, unused

    monkeypatch.setitem(MODEL_WRAPPERS._module_dict, 'Wrapped', Wrapped)
    with pytest.raises(OptionError, match='find_unused_parameters = True'):
        freeze(SimpleNamespace(model=Wrapped(False)), 'decode_head.queries')
    freeze(SimpleNamespace(model=Wrapped(True)), 'decode_head.queries')
