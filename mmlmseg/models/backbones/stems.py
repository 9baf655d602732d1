"""Stems: the first convolution of a backbone with weights for each number of bands, while all else is shared."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from ...errors import OptionError
from ..head.adapters import join_idle

Adaptation = Literal['repeat', 'average']

_PROBES = (64, 224)  # pixels a side; the second for vision transformers of one size


@dataclass(frozen=True)
class StemOptions:
    """Which stems a backbone has.

    Attributes:
        bands: The numbers of bands, each once. The backbone has one stem for each, and no other.
        adapt: How weights for another number of bands start: ``repeat`` gives each new band those of a band of the
            backbone in turn, ``average`` gives all of them the mean. See :func:`adapted`.
    """

    bands: Sequence[int]
    adapt: Adaptation = 'repeat'

    def __post_init__(self) -> None:
        bands = self.bands
        if isinstance(bands, (int, str)) or not bands or any(not isinstance(n, int) or n < 1 for n in bands):
            raise OptionError(f'model.stems: bands = {bands!r}; give the numbers of bands, such as [3, 4]')
        if len(set(bands)) < len(bands):
            raise OptionError(f'model.stems: bands = {list(bands)}; give each number once')
        if self.adapt not in get_args(Adaptation):
            raise OptionError(f'model.stems: adapt = {self.adapt!r}; choose repeat or average')


def adapted(weight: Tensor, bands: int, adapt: Adaptation = 'repeat') -> Tensor:
    """The weights of a convolution for images of another number of bands.

    The sum over the bands stays, so that a grey image, equal in all bands, is answered as before. With ``repeat``, a
    new band takes the weights of the old ones in turn, and those that take the same share them evenly; with fewer bands
    than before, the weights of several are summed.

    Args:
        weight: ``[C_out, bands_before, h, w]``.
        bands: How many are wanted.
        adapt: How.

    Returns:
        ``[C_out, bands, h, w]``.

    Example:
        >>> adapted(torch.tensor([2.0, 3.0, 4.0]).view(1, 3, 1, 1), 4).flatten().tolist()
        [1.0, 3.0, 4.0, 1.0]
    """
    before = weight.shape[1]
    if bands == before:
        return weight.clone()
    if adapt == 'average':
        return (weight.sum(dim=1, keepdim=True) / bands).repeat(1, bands, 1, 1)
    if bands < before:
        return torch.stack([weight[:, band::bands].sum(dim=1) for band in range(bands)], dim=1)
    turns = [band % before for band in range(bands)]
    return torch.stack([weight[:, turn] / turns.count(turn) for turn in turns], dim=1)


class BandWeights:
    """What makes a convolution one of several weights, of which the number of bands of an image chooses one.

    Attributes:
        other_bands: The numbers of bands, beside that of ``weight``, that there are weights for: ``weight_4`` of four.
    """

    other_bands: tuple[int, ...] = ()
    weight: nn.Parameter
    bias: nn.Parameter | None
    _conv_forward: Any

    def weight_of(self, images: Tensor) -> Tensor:
        """The weights for images ``[B, bands, H, W]``; the others, idle in this step, are joined with factor 0."""
        if not self.other_bands:
            return self.weight
        others: dict[int, Tensor] = {bands: getattr(self, f'weight_{bands}') for bands in self.other_bands}
        chosen = others.pop(images.shape[1], None)
        if chosen is not None:
            return join_idle(chosen, [self.weight, *others.values()])
        return join_idle(self.weight, others.values())

    def forward(self, images: Tensor) -> Tensor:
        """``[B, bands, H, W]`` to ``[B, C_out, h, w]``."""
        out: Tensor = self._conv_forward(images, self.weight_of(images), self.bias)
        return out


class BandsConv2d(BandWeights, nn.Conv2d):
    """A plain convolution with several weights."""


class Stems:
    """The stems of a backbone, which start from the weights of the one it was built or pretrained with.

    Wherever weights of another number of bands are loaded into the backbone, its stems are made of them.

    Args:
        backbone: Its first convolution is changed in place.
        options: Which stems.

    Raises:
        OptionError: Where the backbone has no first convolution that can take other bands.
    """

    def __init__(self, backbone: nn.Module, options: StemOptions) -> None:
        self.options = options
        self.convs: dict[str, Any] = first_convolutions(backbone)
        own = next(iter(self.convs.values())).in_channels
        self.is_needed = set(options.bands) != {own}
        self._loaded: set[nn.Parameter] = set()
        if not self.is_needed:
            return
        # The stem that the backbone was built with keeps its name, and its place in files of pretrained weights.
        first, *others = sorted(options.bands, key=lambda bands: bands != own)
        for conv in self.convs.values():
            learns = conv.weight.requires_grad
            source = conv.weight.detach()
            for bands in others:
                fresh = nn.Parameter(adapted(source, bands, options.adapt), learns)
                conv.register_parameter(f'weight_{bands}', fresh)
            if first != own:
                conv.weight = nn.Parameter(adapted(source, first, options.adapt), learns)
                conv.in_channels = first
            if not isinstance(conv, BandWeights):
                conv.__class__ = BandsConv2d
            vars(conv)['other_bands'] = tuple(others)
            conv._register_load_state_dict_pre_hook(partial(self._before_loading, {'': conv}))
        backbone._register_load_state_dict_pre_hook(partial(self._before_loading, self.convs))

    def restart(self) -> None:
        """Makes the stems that no file has told anew, of the weights that the backbone starts from."""
        for conv in self.convs.values() if self.is_needed else ():
            for key in _names(conv)[1:]:
                parameter = getattr(conv, key)
                if parameter not in self._loaded:
                    with torch.no_grad():
                        parameter.copy_(adapted(conv.weight, parameter.shape[1], self.options.adapt))

    def complete(self, state_dict: dict[str, Any], prefix: str) -> list[str]:
        """Adds the stems that a state dict lacks; returns their names."""
        return self._complete(state_dict, prefix, self.convs) if self.is_needed else []

    def _before_loading(self, convs: Mapping[str, nn.Conv2d], state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        self._complete(state_dict, prefix, convs)

    def _complete(self, state_dict: dict[str, Any], prefix: str, convs: Mapping[str, nn.Conv2d]) -> list[str]:
        made = []
        for name, conv in convs.items():
            place = f'{prefix}{name}.' if name else prefix
            source = state_dict.get(f'{place}weight')
            if not isinstance(source, Tensor) or source.dim() != conv.weight.dim():
                continue
            given = {
                value.shape[1]: value
                for key, value in state_dict.items()
                if key.startswith(f'{place}weight') and isinstance(value, Tensor) and value.dim() == source.dim()
            }
            for key in _names(conv):
                own = getattr(conv, key)
                bands = own.shape[1]
                if bands in given:
                    state_dict[place + key] = given[bands]
                    self._loaded.add(own)
                elif source.shape[0] == own.shape[0] and source.shape[2:] == own.shape[2:]:
                    state_dict[place + key] = adapted(source, bands, self.options.adapt)
                    made.append(place + key)
        return made


def _names(conv: nn.Conv2d) -> list[str]:
    return ['weight', *(f'weight_{bands}' for bands in getattr(conv, 'other_bands', ()))]


def warn_of_made_stems(names: Sequence[str]) -> None:
    """Says which stems of a loaded model were not in its checkpoint."""
    if names:
        print_log(
            f'the checkpoint has no {", ".join(names)}: images of that many bands start from the stem of another '
            'number, and nothing was trained of it',
            'current',
            logging.WARNING,
        )


def first_convolutions(backbone: nn.Module) -> dict[str, nn.Conv2d]:
    """The convolutions that see the image itself, by name: nearly always one.

    Raises:
        OptionError: Where there is none, or one of a kind whose weights cannot be chosen.
    """
    convs = {name: module for name, module in backbone.named_modules() if isinstance(module, nn.Conv2d)}
    if not convs:
        raise OptionError('model.stems: the backbone has no convolution, so it cannot be given other bands')
    channels = next(iter(convs.values())).in_channels
    parameter = next(iter(convs.values())).weight
    found: dict[str, nn.Conv2d] = {}
    for side in _PROBES:
        image = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(0)).to(parameter)
        found = _that_see(backbone, convs, image)
        if found:
            break
    if not found:
        raise OptionError(
            'model.stems: no convolution of the backbone sees the image, so it cannot be given other bands; take one '
            'that begins with a convolution, or images of its number of bands'
        )
    for name, conv in found.items():
        if (type(conv).__name__ != 'Conv2d' and not isinstance(conv, BandWeights)) or conv.groups != 1:
            raise OptionError(
                f'model.stems: the first convolution of the backbone, {name}, is a {type(conv).__name__} of '
                f'{conv.groups} groups, which cannot be given other bands; take a backbone with a plain one'
            )
    return found


@torch.no_grad()
def _that_see(backbone: nn.Module, convs: Mapping[str, nn.Conv2d], image: Tensor) -> dict[str, nn.Conv2d]:
    found: dict[str, nn.Conv2d] = {}

    def watch(name: str, conv: nn.Conv2d) -> Any:
        def look(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen = inputs[0]
            if seen.shape == image.shape and torch.equal(seen, image):
                found[name] = conv

        return conv.register_forward_pre_hook(look)

    handles = [watch(name, conv) for name, conv in convs.items()]
    training = {module: module.training for module in backbone.modules()}
    backbone.eval()
    try:
        backbone(image)
    except Exception:  # of sizes that it does not take: what has seen the image by then counts
        pass
    finally:
        for handle in handles:
            handle.remove()
        for module, was in training.items():
            module.training = was
    return found
