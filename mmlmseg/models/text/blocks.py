"""The frozen transformer of a text tower, over many short texts behind one prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .packs import Packs

QUICK_GELU = 1.702  # x * sigmoid(1.702 x) is the activation of OpenAI's CLIP


class Affine(NamedTuple):
    """The weights of a linear layer ``[out, in]``, ``[out]``; its input is brought to their type."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor, dtype: torch.dtype, gain: Tensor | float = 1.0) -> Affine:
        """Weights in a type, with a factor of the outputs made part of them: a number, or ``[out]``."""
        gain = torch.as_tensor(gain).to(bias).expand_as(bias)
        return cls((weight * gain[:, None]).to(dtype), (bias * gain).to(dtype))

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


@dataclass(frozen=True)
class FrozenBlock:
    """A pre-norm transformer block whose weights stay as they are, so that they can be kept in the form that runs best.

    Linear layers and products of attention run in a type of choice; norms, softmax and the sum over all layers in that
    of the norms. What only scales is part of the weights: attention's root, LayerScale, and the 1.702 of QuickGELU,
    which makes it a SiLU: one operation each way in place of three and four on the widest tensor.
    """

    heads: int
    attention_norm: nn.LayerNorm
    qkv: Affine
    out: Affine
    mlp_norm: nn.LayerNorm
    up: Affine
    activation: Callable[[Tensor], Tensor]
    down: Affine

    @classmethod
    @torch.no_grad()
    def of(cls, block: Any, dtype: torch.dtype) -> FrozenBlock:
        """Of open_clip's ``ResidualAttentionBlock``."""
        attention, (up, activation, down) = block.attn, block.mlp
        root = torch.ones(3, attention.embed_dim)
        root[0] = attention.head_dim**-0.5
        gamma, gamma_mlp = (getattr(scale, 'gamma', 1.0) for scale in (block.ls_1, block.ls_2))
        quick = type(activation).__name__ == 'QuickGELU'
        slope = QUICK_GELU if quick else 1.0
        return cls(
            attention.num_heads,
            block.ln_1,
            Affine.of(attention.in_proj_weight, attention.in_proj_bias, dtype, root.flatten()),
            Affine.of(attention.out_proj.weight, attention.out_proj.bias, dtype, gamma),
            block.ln_2,
            Affine.of(up.weight, up.bias, dtype, slope),
            F.silu if quick else activation,
            Affine.of(down.weight / slope, down.bias, dtype, gamma_mlp),
        )

    def __call__(self, x: Tensor, packs: Packs, places: Tensor | None = None) -> Tensor:
        """One layer.

        Args:
            x: ``[P * T, w]``, float32: the tokens of all packs.
            packs: What each of them sees.
            places: Of the tokens that are asked for, ``[n]``; all by default.

        Returns:
            ``[P * T, w]`` or ``[n, w]``, float32.
        """
        seen = self._attend(self.qkv(self.attention_norm(x)), packs)
        if places is not None:
            x, seen = x[places], seen[places]
        x = x + self.out(seen)
        return x + self.down(self.activation(self.up(self.mlp_norm(x))))

    def _attend(self, qkv: Tensor, packs: Packs) -> Tensor:
        """Causal attention of each text to the lead and itself: ``[P * T, 3 * w]`` to ``[P * T, w]``.

        ``F.scaled_dot_product_attention`` takes four times as long for packs as short as these on a CPU, most of it
        backwards (1.6 ms a layer in bfloat16, 2 cores).
        """
        own = qkv.unflatten(-1, (3, self.heads, -1)).unflatten(0, packs.tokens.shape)  # [P, T, 3, heads, d]
        own = own.permute(2, 0, 3, 1, 4)  # [3, P, heads, T, d]
        lead = own[1:, :1, :, : packs.lead].expand(-1, own.shape[1], -1, -1, -1)
        key, value = torch.cat([lead, own[1:]], dim=3)  # [P, heads, lead + T, d]
        scores = own[0] @ key.transpose(-1, -2)  # queries hold attention's root
        weights = (scores + packs.bias).softmax(-1)  # float32, as the bias is
        return (weights.to(value.dtype) @ value).transpose(1, 2).flatten(0, 1).flatten(1)
