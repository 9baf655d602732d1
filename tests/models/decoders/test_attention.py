from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mmlmseg.models.decoders.attention import Attention, Dropout, MultiHeadAttention, UnprojectedAttention

CHANNELS, HEADS = 12, 3


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value."""
    return tuple(torch.randn(2, n, CHANNELS, dtype=dtype, requires_grad=True) for n in (5, 7, 7))


def twins(projected: bool, dropout: float = 0.0) -> tuple[nn.Module, nn.MultiheadAttention]:
    """Ours, and torch's; where ours has no key and value projection, torch's has the identity."""
    ours = (MultiHeadAttention if projected else UnprojectedAttention)(CHANNELS, HEADS, dropout).double()
    torchs = nn.MultiheadAttention(CHANNELS, HEADS, dropout=dropout, batch_first=True).double()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_()
        if projected:
            torchs.load_state_dict(ours.state_dict())
        else:
            eye, zero = torch.eye(CHANNELS), torch.zeros(CHANNELS)
            torchs.in_proj_weight.copy_(torch.cat([ours.query.weight, eye, eye]))
            torchs.in_proj_bias.copy_(torch.cat([ours.query.bias, zero, zero]))
            torchs.out_proj.load_state_dict(ours.output.state_dict())
    return ours, torchs


@pytest.mark.parametrize('projected', [False, True])
@pytest.mark.parametrize('mask', ['none', 'padding', 'of each query'])
def test_equals_torchs(projected: bool, mask: str) -> None:
    ours, torchs = twins(projected)
    given = inputs()
    padding = torch.arange(7) >= torch.tensor([[4], [6]])  # [2, 7]
    of_each = torch.rand(2, 5, 7) < 0.5
    of_each[..., 2] = False
    hidden = {'none': None, 'padding': padding[:, None], 'of each query': of_each}[mask]
    theirs = dict(key_padding_mask=padding) if mask == 'padding' else {}
    if mask == 'of each query':
        theirs = dict(attn_mask=of_each.repeat_interleave(HEADS, 0))
    results = ours(*given, hidden), torchs(*given, need_weights=False, **theirs)[0]
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(result.square().sum(), given) for result in results]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('projected', [False, True])
def test_starts_as_torchs_does(projected: bool) -> None:
    ours = (MultiHeadAttention if projected else UnprojectedAttention)(256, 8, 0.0)
    torchs = nn.MultiheadAttention(256, 8)
    for name, parameter in ours.named_parameters():
        if name.endswith('bias'):
            assert parameter.abs().max() == 0
    if projected:
        for name, parameter in torchs.named_parameters():
            assert ours.get_parameter(name).std().item() == pytest.approx(parameter.std().item(), rel=0.05)


@pytest.mark.parametrize('projected', [False, True])
def test_drops_attention_weights_in_training_only(projected: bool) -> None:
    ours, torchs = twins(projected, dropout=0.5)
    given = inputs()
    torch.testing.assert_close(ours.eval()(*given), torchs.eval()(*given, need_weights=False)[0])
    ours.train()
    assert not torch.allclose(ours(*given), ours(*given))
    mean = torch.stack([ours(*given) for _ in range(3000)]).mean(0)
    torch.testing.assert_close(mean, ours.eval()(*given), rtol=0.1, atol=0.3)


def test_what_is_hidden_stays_hidden_under_dropout() -> None:
    ours, _ = twins(True, dropout=0.5)
    query, key, value = inputs()
    hidden = torch.zeros(2, 1, 7, dtype=torch.bool)
    hidden[:, :, 4:] = True
    ours.train()(query, key, value, hidden).sum().backward()
    assert value.grad[:, 4:].abs().max() == 0 < value.grad[:, :4].abs().min()


@pytest.mark.parametrize('rate', [0.1, 0.5])
def test_dropout_meets_its_rate_and_keeps_the_mean(rate: float) -> None:
    x = torch.ones(400, 1001, requires_grad=True)
    dropped = Dropout(rate)(x)
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.005)
    assert set(dropped.unique().tolist()) == {0.0, torch.tensor(1 / (1 - rate)).item()}
    neighbours = (dropped[:, 1:] == 0) & (dropped[:, :-1] == 0)
    assert neighbours.float().mean().item() == pytest.approx(rate**2, abs=0.005)  # drawn independently
    dropped.sum().backward()
    assert x.grad.equal(dropped.detach())


def test_dropout_follows_the_seed_and_rests_in_evaluation() -> None:
    x = torch.randn(7, 9)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(Dropout(0.3)(x))
    assert drawn[0].equal(drawn[1])
    assert Dropout(0.3).eval()(x) is x


@pytest.mark.parametrize('projected', [False, True])
def test_attention_adds_and_normalises(projected: bool) -> None:
    block = Attention(CHANNELS, HEADS, 0.0, project_keys_values=projected).double()
    x = torch.randn(2, 5, CHANNELS, dtype=torch.float64)
    given = inputs()
    hidden = torch.zeros(2, 1, 7, dtype=torch.bool)
    hidden[1, :, 3:] = True
    torch.testing.assert_close(block(x, *given, hidden), block.norm(x + block.attention(*given, hidden)))


@pytest.mark.parametrize('dropout', [0.0, 0.1])
@pytest.mark.parametrize('projected', [False, True])
def test_runs_in_half_precision_under_autocast(projected: bool, dropout: float) -> None:
    block = Attention(CHANNELS, HEADS, dropout, project_keys_values=projected)
    given = inputs(torch.float32)
    hidden = torch.zeros(2, 1, 7, dtype=torch.bool)
    with torch.autocast('cpu', torch.bfloat16):
        torch.manual_seed(0)
        half = block(given[0], *given, hidden)
    half.sum().backward()
    torch.manual_seed(0)
    torch.testing.assert_close(half.float(), block(given[0], *given, hidden), rtol=0.05, atol=0.05)


def test_checkpoints_keep_their_names() -> None:
    assert list(Attention(CHANNELS, HEADS, 0.0).state_dict()) == [
        'attention.in_proj_weight',
        'attention.in_proj_bias',
        'attention.out_proj.weight',
        'attention.out_proj.bias',
        'norm.weight',
        'norm.bias',
    ]
