"""Merged groups train what a group for each parameter trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper, PolyLR, build_optim_wrapper
from torch import nn

from mmlmseg.engine.optim_constructor import has_fused_kernel
from mmlmseg.errors import CheckpointError
from mmlmseg.registry import MODELS

PARAMWISE = dict(
    norm_decay_mult=0.0,
    custom_keys={'backbone': dict(lr_mult=0.1), 'decode_head.queries': dict(decay_mult=0.0)},
)


def build(
    model: nn.Module, constructor: str = 'mmlmseg.MergedGroupsConstructor', clip: bool = False, **optimizer: Any
) -> OptimWrapper:
    config = dict(
        type='OptimWrapper',
        constructor=constructor,
        optimizer=dict(type='AdamW', lr=3e-4, weight_decay=1e-4, **optimizer),
        clip_grad=dict(max_norm=1.0) if clip else None,
        paramwise_cfg=PARAMWISE,
    )
    return build_optim_wrapper(model, ConfigDict(config))


def options(model: nn.Module, wrapper: OptimWrapper) -> dict[str, dict[str, Any]]:
    """What the optimiser has for each parameter, by name."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    chosen = ('lr', 'weight_decay', 'betas', 'eps', 'initial_lr')
    groups = wrapper.optimizer.param_groups
    return {names[p]: {key: group.get(key) for key in chosen} for group in groups for p in group['params']}


def train(model: nn.Module, wrapper: OptimWrapper, steps: int, first: int = 0) -> torch.Tensor:
    """Steps on random gradients of their own number, along a schedule that ends in 0; returns all parameters."""
    schedule = PolyLR(wrapper, power=0.9, end=first + steps, by_epoch=False)
    trained = [p for p in model.parameters() if p.requires_grad]
    for step in range(first, first + steps):
        random = torch.Generator().manual_seed(step)
        for parameter in trained:
            parameter.grad = torch.randn(parameter.shape, generator=random)
        wrapper.step()
        wrapper.zero_grad()
        schedule.step()
    return nn.utils.parameters_to_vector(trained).detach()


@pytest.fixture
def make_model(model_config: Callable[..., dict[str, Any]]) -> Callable[[], nn.Module]:
    config = model_config(in_channels=[8, 16, 32, 64])
    config['backbone'].update(frozen_stages=1, base_channels=8)

    def make() -> nn.Module:
        torch.manual_seed(0)
        return MODELS.build(config)

    return make


def test_every_parameter_has_the_options_that_mmengine_gives_it(make_model: Callable[[], nn.Module]) -> None:
    model = make_model()
    one_each, merged = build(model, 'DefaultOptimWrapperConstructor'), build(model)
    assert len(one_each.optimizer.param_groups) > 50
    assert len(merged.optimizer.param_groups) == 4
    assert options(model, merged) == options(model, one_each)
    assert build(model).get_lr()['base_lr'] == one_each.get_lr()['base_lr'] == [3e-4]


def test_trains_the_same_weights(make_model: Callable[[], nn.Module]) -> None:
    """Bit by bit where torch takes the same steps; to rounding where it fuses them, or adds up the gradients' norm in
    the order of the groups."""
    start = nn.utils.parameters_to_vector([p for p in make_model().parameters() if p.requires_grad]).detach()
    for clip in (False, True):
        one_each, plain, fused = (
            train(model, build(model, **options, clip=clip), 20)
            for model, options in (
                (make_model(), dict(constructor='DefaultOptimWrapperConstructor')),
                (make_model(), dict(fused=False)),
                (make_model(), dict()),
            )
        )
        assert clip or torch.equal(plain, one_each)
        for other in (plain, fused):
            assert (other - one_each).norm() <= 1e-6 * (one_each - start).norm()


def test_resumes_bit_by_bit(make_model: Callable[[], nn.Module]) -> None:
    model, rest = make_model(), make_model()
    wrapper = build(model)
    train(model, wrapper, 3)
    rest.load_state_dict(model.state_dict())
    resumed = build(rest)
    resumed.load_state_dict(wrapper.state_dict())
    assert torch.equal(train(rest, resumed, 3, first=3), train(model, wrapper, 3, first=3))


def test_a_checkpoint_of_other_groups_is_refused(make_model: Callable[[], nn.Module]) -> None:
    model = make_model()
    old = build(model, 'DefaultOptimWrapperConstructor').state_dict()
    with pytest.raises(CheckpointError, match='optim_wrapper.constructor=DefaultOptimWrapperConstructor'):
        build(model).load_state_dict(old)
    saved = build(model).state_dict()
    del saved['param_groups'][0]['params'][0]
    with pytest.raises(CheckpointError, match='start anew from its weights with load_from'):
        build(model).load_state_dict(saved)


@pytest.mark.parametrize('option', ['fused', 'foreach', 'capturable', 'differentiable'])
def test_the_config_chooses_the_kernel(option: str) -> None:
    (group,) = build(nn.Linear(2, 2), **{option: False}).optimizer.param_groups
    assert not group['fused']


def test_fused_where_torch_can() -> None:
    weight = torch.zeros(2, requires_grad=True)
    assert has_fused_kernel(torch.optim.AdamW, [weight])
    assert has_fused_kernel(torch.optim.SGD, [weight])
    assert not has_fused_kernel(torch.optim.RMSprop, [weight])
    assert not has_fused_kernel(torch.optim.AdamW, [weight, weight.detach().to('meta', torch.complex64)])


def test_keys_match_what_fsdp_has_wrapped() -> None:
    class Wrapped(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self._fsdp_wrapped_module = inner

    plain = nn.ModuleDict(dict(decode_head=nn.ModuleDict(dict(queries=nn.Linear(2, 2), norm=nn.LayerNorm(2)))))
    wrapped = nn.ModuleDict(dict(decode_head=Wrapped(nn.ModuleDict(dict(plain['decode_head'].items())))))
    assert [g['weight_decay'] for g in build(wrapped).optimizer.param_groups] == [0.0, 0.0]
    assert list(options(plain, build(plain)).values()) == list(options(plain, build(wrapped)).values())
