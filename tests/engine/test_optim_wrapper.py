"""Forward passes in bfloat16; weights, gradients and losses in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import Tensor, nn

from mmlmseg.registry import MODELS


class Toy(nn.Module):
    """Remembers in which precision it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        self.seen: list[torch.dtype] = []

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.layers(inputs)
        self.seen.append(outputs.dtype)
        return outputs.float().square().mean()


def wrap(model: nn.Module, kind: str = 'mmlmseg.BFloat16OptimWrapper', **options: Any) -> OptimWrapper:
    return build_optim_wrapper(model, dict(type=kind, optimizer=dict(type='SGD', lr=0.1), **options))


def step(model: Toy, wrapper: OptimWrapper, inputs: Tensor) -> Tensor:
    with wrapper.optim_context(model):
        loss = model(inputs)
    wrapper.update_params(loss)
    return loss


@pytest.mark.parametrize(
    ('kind', 'precision'), [('mmlmseg.BFloat16OptimWrapper', torch.bfloat16), ('OptimWrapper', torch.float32)]
)
def test_forward_is_in_bfloat16_and_all_else_in_float32(kind: str, precision: torch.dtype) -> None:
    model, inputs = Toy(), torch.randn(16, 4)
    gradients: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():  # which stepping clears
        parameter.register_hook(lambda gradient, name=name: gradients.update({name: gradient}))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    loss = step(model, wrap(model, kind), inputs)
    assert model.seen == [precision]
    assert loss.dtype == torch.float32
    assert gradients.keys() == before.keys()
    for name, parameter in model.named_parameters():
        assert parameter.dtype == gradients[name].dtype == torch.float32
        torch.testing.assert_close(parameter.detach(), before[name] - 0.1 * gradients[name])
        assert not torch.equal(parameter, before[name])
    model(inputs)
    assert model.seen[-1] == torch.float32  # outside the context, as at evaluation


def test_learns_as_in_float32() -> None:
    inputs, losses = torch.randn(16, 4), {}
    for kind in ('mmlmseg.BFloat16OptimWrapper', 'OptimWrapper'):
        torch.manual_seed(1)
        model = Toy()
        wrapper = wrap(model, kind)
        losses[kind] = torch.stack([step(model, wrapper, inputs).detach() for _ in range(20)])
    low, full = losses.values()
    assert full[-1] < 0.5 * full[0]
    assert not torch.equal(low, full)
    torch.testing.assert_close(low, full, rtol=0.05, atol=0.0)


def test_gradients_accumulate_and_are_clipped() -> None:
    model, inputs = Toy(), torch.randn(16, 4)
    wrapper = wrap(model, accumulative_counts=2, clip_grad=dict(max_norm=1e-3))
    wrapper.initialize_count_status(model, 0, 4)
    before = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    step(model, wrapper, inputs)
    assert torch.equal(nn.utils.parameters_to_vector(model.parameters()), before)
    step(model, wrapper, inputs)
    moved = nn.utils.parameters_to_vector(model.parameters()) - before
    assert float(moved.detach().norm()) == pytest.approx(0.1 * 1e-3, rel=0.01)


def test_a_step_of_the_segmentor(
    model_config: Callable[..., dict[str, Any]], make_sample: Callable[..., dict[str, Any]]
) -> None:
    model = MODELS.build(model_config()).train()
    seen: list[torch.dtype] = []
    model.backbone.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs[-1].dtype))
    samples = [make_sample('street'), make_sample('facade')]
    batch = {key: [sample[key] for sample in samples] for key in ('inputs', 'data_samples')}
    weight = model.decode_head.queries.position.weight
    before = weight.detach().clone()
    logged = model.train_step(batch, wrap(model))
    assert seen == [torch.bfloat16]
    assert logged['loss'].dtype == torch.float32
    assert torch.isfinite(logged['loss'])
    assert not torch.equal(weight, before)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
