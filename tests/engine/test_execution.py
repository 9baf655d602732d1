"""Parts that are compiled or checkpointed train what they train without."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS
from torch import Tensor, nn

from mmlmseg.errors import OptionError
from mmlmseg.registry import MODELS

CHECKPOINTED = dict(type='mmlmseg.ActivationCheckpointingHook')
COMPILED = dict(type='mmlmseg.CompileHook', backend='eager')  # traces as any other, and needs no C++ compiler
LMSEG: dict[str, Any] = dict()
RESI = dict(
    queries=dict(type='mmlmseg.LabelSpaceQueries', num_queries=8),
    decoder=dict(type='mmlmseg.MaskedAttentionDecoder', num_levels=1, num_layers=2, num_heads=4, ffn_channels=64),
    criterion=dict(type='mmlmseg.PointCriterion', num_points=64),
)
PARTS = ['backbone', 'decode_head.pixel_features', 'decode_head.decoder', 'decode_head.text.adapter']


@pytest.fixture
def make_model(model_config: Callable[..., dict[str, Any]]) -> Callable[..., nn.Module]:
    """Small, with dropout and batch norms that learn."""

    def make(dropout: float = 0.2, **head: Any) -> nn.Module:
        config = model_config(**{'in_channels': [8, 16, 32, 64], **head})
        config['backbone'].update(base_channels=8, norm_eval=False, norm_cfg=dict(type='BN'))
        config['decode_head']['decoder'].update(dropout=dropout)
        torch.manual_seed(0)
        return MODELS.build(config)

    return make


def train(
    model: nn.Module, make_sample: Callable[..., dict[str, Any]], *hooks: dict[str, Any], steps: int = 2
) -> dict[str, Tensor]:
    """Trains with hooks on batches of a changing size; all weights and statistics."""
    wrapper = build_optim_wrapper(model, dict(optimizer=dict(type='SGD', lr=0.05)))
    runner: Any = SimpleNamespace(model=model)
    built: list[Hook] = [HOOKS.build(hook) for hook in hooks]
    for hook in built:
        hook.before_train(runner)
    model.train()
    for step in range(steps):
        torch.manual_seed(step)
        samples = [make_sample(space, seed=step) for space in ('street', 'facade')[: 2 - step % 2] * 2]
        model.train_step({key: [sample[key] for sample in samples] for key in samples[0]}, wrapper)
    for hook in built:
        hook.after_train(runner)
    assert not any('forward' in vars(module) for module in model.modules())
    return {key: value.clone() for key, value in model.state_dict().items()}


def check_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor], **tolerance: float) -> None:
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, msg=lambda text, key=key: f'{key}: {text}', **tolerance)


@pytest.mark.parametrize('modules', [['backbone.layer3'], PARTS])
def test_checkpointed_parts_train_the_same(
    make_model: Callable[..., nn.Module], make_sample: Callable[..., dict[str, Any]], modules: list[str]
) -> None:
    """Dropout draws the same numbers again, and batch norms count a batch once."""
    start = make_model().state_dict()
    plain = train(make_model(), make_sample)
    check_equal(train(make_model(), make_sample, dict(CHECKPOINTED, modules=modules)), plain, rtol=0, atol=0)
    for name in ('backbone.conv1.weight', 'backbone.layer3.0.conv1.weight', 'backbone.bn1.running_mean'):
        assert not torch.equal(plain[name], start[name])
    assert plain['backbone.bn1.num_batches_tracked'] == 2


def test_less_is_kept_for_the_backward_pass(make_model: Callable[..., nn.Module]) -> None:
    def kept(*modules: str) -> int:
        model, sizes = make_model(), []
        hook = HOOKS.build(dict(CHECKPOINTED, modules=list(modules)))
        hook.before_train(SimpleNamespace(model=model))
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            model.train().extract_feat(torch.rand(2, 3, 64, 64))
        hook.after_train(SimpleNamespace(model=model))
        return sum(sizes)

    assert kept('backbone') < 0.1 * kept()


def test_nothing_is_kept_without_gradient(make_model: Callable[..., nn.Module]) -> None:
    model = make_model().eval()
    images = torch.rand(1, 3, 64, 64)
    hook = HOOKS.build(dict(CHECKPOINTED, modules='backbone'))
    with torch.no_grad():
        before = model.extract_feat(images)
        hook.before_train(SimpleNamespace(model=model))
        assert all(map(torch.equal, model.extract_feat(images), before))


def test_a_module_that_is_not_there(make_model: Callable[..., nn.Module]) -> None:
    hook = HOOKS.build(dict(CHECKPOINTED, modules=['backbone.layer9']))
    with pytest.raises(OptionError, match=r"no module 'backbone\.layer9'\. Did you mean: .*backbone\.layer\d"):
        hook.before_train(SimpleNamespace(model=make_model()))


@pytest.mark.slow
@pytest.mark.parametrize('head', [LMSEG, RESI], ids=['lmseg', 'resi'])
def test_compiled_parts_train_the_same(
    head: dict[str, Any], make_model: Callable[..., nn.Module], make_sample: Callable[..., dict[str, Any]]
) -> None:
    def trained(*hooks: dict[str, Any]) -> dict[str, Tensor]:
        return train(make_model(dropout=0.0, **head), make_sample, *hooks)

    plain = trained()
    check_equal(trained(COMPILED), plain, rtol=1e-3, atol=1e-5)
    both = dict(CHECKPOINTED, modules=['backbone.layer3', 'decode_head.decoder'])
    check_equal(trained(both, COMPILED), plain, rtol=1e-3, atol=1e-5)


def test_evaluation_is_not_compiled(make_model: Callable[..., nn.Module]) -> None:
    runner: Any = SimpleNamespace(model=make_model())
    hook = HOOKS.build(COMPILED)

    def compiled() -> set[str]:
        return {name for name, module in runner.model.named_modules() if 'forward' in vars(module)}

    parts = {'backbone', 'decode_head.pixel_features.pixel_decoder', 'decode_head.decoder'}
    for act, expected in (
        ('before_train', parts), ('before_val', set()), ('after_val', parts), ('after_train', set()),
    ):  # fmt: skip
        getattr(hook, act)(runner)
        assert compiled() == expected
