"""Against mmdet's decoder, whose weights it takes."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn

from mmlmseg.models.pixel_decoders import DeformablePixelDecoder
from mmlmseg.registry import MODELS

CHANNELS = [4, 8, 12, 24]
GN = dict(type='GN', num_groups=4)


def twins(num_levels: int = 3) -> tuple[DeformablePixelDecoder, nn.Module]:
    """Ours, and mmdet's with the same weights."""
    small = dict(in_channels=CHANNELS, feat_channels=16, out_channels=20, norm_cfg=GN)
    ours = DeformablePixelDecoder(
        **small, num_levels=num_levels, num_layers=2, num_heads=2, num_points=4, ffn_channels=32
    )
    attention = dict(embed_dims=16, num_heads=2, num_levels=num_levels, num_points=4, dropout=0.0, batch_first=True)
    mmdets = MODELS.build(
        ConfigDict(
            type='mmdet.MSDeformAttnPixelDecoder',
            **small,
            num_outs=num_levels,
            act_cfg=dict(type='ReLU'),
            encoder=dict(
                num_layers=2,
                layer_cfg=dict(
                    self_attn_cfg=attention,
                    ffn_cfg=dict(embed_dims=16, feedforward_channels=32, num_fcs=2, ffn_drop=0.0),
                ),
            ),
            positional_encoding=dict(num_feats=8, normalize=True),
        )
    )
    for decoder in (ours, mmdets):
        torch.manual_seed(1)
        decoder.init_weights()
    return ours, mmdets


def maps(size: tuple[int, int] = (64, 96)) -> list[Tensor]:
    """Backbone maps, fine first."""
    return [
        torch.randn(2, c, size[0] // s, size[1] // s, requires_grad=True)
        for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


def test_starts_as_mmdets_does() -> None:
    ours, mmdets = twins()
    theirs = mmdets.state_dict()
    assert ours.state_dict().keys() == theirs.keys()
    for name, tensor in ours.state_dict().items():
        if not ('ffn' in name and name.endswith('bias')):  # as they are made
            torch.testing.assert_close(tensor, theirs[name], msg=name)


@pytest.mark.parametrize(('levels', 'size'), [(3, (64, 96)), (4, (96, 32)), (3, (80, 48))])
def test_outputs_and_gradients_are_mmdets(levels: int, size: tuple[int, int]) -> None:
    ours, mmdets = twins(levels)
    with torch.no_grad():
        for parameter in mmdets.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))  # points go astray
    ours.load_state_dict(mmdets.state_dict())
    feats = maps(size)
    results = []
    for decoder in (ours, mmdets):
        leaves = [own.detach().requires_grad_() for own in feats]
        mask, memory = decoder(leaves)
        loss = sum(own.square().mean() for own in (mask, *memory))
        results.append(
            ((mask, *memory), torch.autograd.grad(loss, (*leaves, *decoder.parameters()), allow_unused=True))
        )
    (got, gradients), (expected, theirs) = results
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    names = [name for name, _ in ours.named_parameters()]
    assert names == [name for name, _ in mmdets.named_parameters()]
    torch.testing.assert_close(gradients, theirs, rtol=1e-4, atol=1e-5)


def test_runs_in_half_precision_under_autocast() -> None:
    ours, _ = twins()
    feats = [own.to(memory_format=torch.channels_last) for own in maps()]
    exact, _ = ours(feats)
    with torch.autocast('cpu', torch.bfloat16):
        half, memory = ours(feats)
    assert half.dtype == memory[0].dtype == torch.bfloat16
    half.float().square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in ours.parameters())
    assert (half.float() - exact).norm() / exact.norm() < 0.03


@pytest.mark.parametrize('wrong', [dict(num_levels=5), dict(num_levels=0), dict(num_heads=3)])
def test_impossible_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match='DeformablePixelDecoder needs num_levels'):
        DeformablePixelDecoder(CHANNELS, 16, 20, **wrong)
