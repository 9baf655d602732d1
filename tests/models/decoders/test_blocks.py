from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mmlmseg.models.decoders.plain import Attention, UnprojectedAttention

CHANNELS, HEADS = 12, 3


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value."""
    return tuple(torch.randn(2, n, CHANNELS, dtype=dtype, requires_grad=True) for n in (5, 7, 7))


def twins(dropout: float = 0.0) -> tuple[UnprojectedAttention, nn.MultiheadAttention]:
    """Ours, and torch's with the identity as key and value projection."""
    ours = UnprojectedAttention(CHANNELS, HEADS, dropout).double()
    torchs = nn.MultiheadAttention(CHANNELS, HEADS, dropout=dropout, batch_first=True).double()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_()
        eye, zero = torch.eye(CHANNELS), torch.zeros(CHANNELS)
        torchs.in_proj_weight.copy_(torch.cat([ours.query.weight, eye, eye]))
        torchs.in_proj_bias.copy_(torch.cat([ours.query.bias, zero, zero]))
    torchs.out_proj.load_state_dict(ours.output.state_dict())
    return ours, torchs


@pytest.mark.parametrize('padded', [False, True])
def test_equals_torchs_with_identity_projections(padded: bool) -> None:
    ours, torchs = twins()
    given = inputs()
    padding = torch.arange(7) >= torch.tensor([[4], [6]]) if padded else None
    results = [module(*given, key_padding_mask=padding, need_weights=False) for module in (ours, torchs)]
    assert results[0][1] is results[1][1] is None
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(result.square().sum(), given) for result, _ in results]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


def test_starts_as_torchs_does() -> None:
    ours, torchs = UnprojectedAttention(CHANNELS, HEADS, 0.0), nn.MultiheadAttention(CHANNELS, HEADS)
    assert ours.query.bias.abs().max() == torchs.in_proj_bias.abs().max() == 0
    assert ours.output.bias.abs().max() == torchs.out_proj.bias.abs().max() == 0


def test_drops_attention_weights_in_training_only() -> None:
    ours, torchs = twins(dropout=0.5)
    given = inputs()
    torch.testing.assert_close(ours.eval()(*given)[0], torchs.eval()(*given, need_weights=False)[0])
    ours.train()
    assert not torch.allclose(ours(*given)[0], ours(*given)[0])


@pytest.mark.parametrize('project', [False, True])
def test_attention_adds_and_normalises(project: bool) -> None:
    block = Attention(CHANNELS, HEADS, 0.0, project_keys_values=project).double()
    x = torch.randn(2, 5, CHANNELS, dtype=torch.float64)
    given = inputs()
    padding = torch.zeros(2, 7, dtype=torch.bool)
    padding[1, 3:] = True
    expected = block.norm(x + block.attention(*given, key_padding_mask=padding, need_weights=False)[0])
    torch.testing.assert_close(block(x, *given, padding), expected)


@pytest.mark.parametrize('project', [False, True])
def test_runs_in_half_precision_under_autocast(project: bool) -> None:
    block = Attention(CHANNELS, HEADS, 0.0, project_keys_values=project)
    given = inputs(torch.float32)
    padding = torch.zeros(2, 7, dtype=torch.bool)
    with torch.autocast('cpu', torch.bfloat16):
        half = block(given[0], *given, padding)
    half.sum().backward()
    torch.testing.assert_close(half.float(), block(given[0], *given, padding), rtol=0.05, atol=0.05)


def test_checkpoints_keep_their_names() -> None:
    assert list(Attention(CHANNELS, HEADS, 0.0).state_dict()) == [
        'attention.in_proj_weight',
        'attention.in_proj_bias',
        'attention.out_proj.weight',
        'attention.out_proj.bias',
        'norm.weight',
        'norm.bias',
    ]
