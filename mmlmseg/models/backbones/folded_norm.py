"""Batch norm that is fixed, folded into the convolution before it: two passes over each map, and a copy, less."""

from __future__ import annotations

import functools
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from .stems import BandWeights

_NORMS = ('BatchNorm2d', 'SyncBatchNorm', 'FrozenBatchNorm2d')  # the last is torchvision's, without parameters
_PROBE = 64  # pixels a side; every stride of a backbone divides it


class _FoldingConv2d(BandWeights, nn.Conv2d):
    """A convolution that does the work of the norm behind it too, as long as that is fixed."""

    norm: Any  # in a tuple, so that it is no submodule of the convolution

    def forward(self, x: Tensor) -> Tensor:
        (norm,) = self.norm
        if not _is_fixed(norm):
            return super().forward(x)
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()  # [C_out]
        shift = norm.bias - norm.running_mean * scale
        if self.bias is not None:
            shift = shift + self.bias * scale
        return self._conv_forward(x, self.weight_of(x) * scale[:, None, None, None], shift)


class _FoldedNorm:
    """The norm behind it: nothing is left to do where it is fixed."""

    def forward(self, x: Tensor) -> Tensor:
        return x if _is_fixed(self) else super().forward(x)


def _is_fixed(norm: Any) -> bool:
    """Whether a norm uses what it has seen before, and learns nothing now."""
    learns = norm.training and not type(norm).__name__.endswith('FrozenBatchNorm2d')
    return not learns and not (torch.is_grad_enabled() and any(p.requires_grad for p in norm.parameters()))


@functools.cache
def _folded(kind: Any) -> type[nn.Module]:
    return type(f'Folded{kind.__name__}', (_FoldedNorm, kind), {})


def fold_fixed_norms(backbone: nn.Module) -> int:
    """Lets each convolution of a backbone do the work of the batch norm behind it, whenever that is fixed.

    That is always so for frozen norms, and in evaluation for all. Names and values of parameters stay. A norm is taken
    to stand behind a convolution if it comes next among the children of one module, as in every ResNet; since a module
    may call its children in another order, the backbone answers a random image before and after.

    Args:
        backbone: Changed in place.

    Returns:
        The number of folded norms, 0 where the backbone has none or would answer otherwise.
    """
    neighbours = (pair for parent in backbone.modules() for pair in pairwise(parent.children()))
    pairs: list[tuple[Any, Any]] = [pair for pair in neighbours if _belong_together(*pair)]
    if not pairs:
        return 0
    channels = next(module.in_channels for module in backbone.modules() if isinstance(module, nn.Conv2d))
    image = torch.randn(1, channels, _PROBE, _PROBE, generator=torch.Generator().manual_seed(0))
    wanted = _answer(backbone, image)
    kinds = [norm.__class__ for _, norm in pairs]
    for conv, norm in pairs:
        conv.__class__, conv.norm = _FoldingConv2d, (norm,)
        norm.__class__ = _folded(norm.__class__)
    if all(_alike(got, own) for got, own in zip(_answer(backbone, image), wanted, strict=True)):
        return len(pairs)
    for (conv, norm), kind in zip(pairs, kinds, strict=True):
        conv.__class__, norm.__class__ = nn.Conv2d, kind
        del conv.norm
    return 0


def _belong_together(conv: Any, norm: Any) -> bool:
    return (
        type(conv) is nn.Conv2d
        and type(norm).__name__ in _NORMS
        and norm.weight is not None
        and norm.running_var is not None
        and len(norm.weight) == conv.out_channels
    )


def _alike(got: Tensor, wanted: Tensor) -> bool:
    return bool((got - wanted).abs().max() <= 1e-3 * wanted.abs().max())


@torch.no_grad()
def _answer(backbone: nn.Module, image: Tensor) -> list[Tensor]:
    training = {module: module.training for module in backbone.modules()}
    backbone.eval()
    maps = backbone(image)
    for module, was in training.items():
        module.training = was
    return [maps] if isinstance(maps, Tensor) else list(maps)
