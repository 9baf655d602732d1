"""Which sizes of images the maps of a backbone fill exactly, told by the shapes of its maps."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import OptionError
from ..data_preprocessor import USUAL_DIVISOR

_MOST = 128  # pixels; no backbone has larger cells
_OF_MANY = 224  # what most backbones of one size, or of patches, take
_LENGTH = 64  # how many times the side of a probe is its other side, which is more than pixels of any patch's remainder


class CellProbe:
    """Asks a backbone, and the neck behind it, for the sizes of its maps without computing what is in them.

    Args:
        backbone: Any; it stays as it is.
        neck: What stands behind it.
    """

    def __init__(self, backbone: nn.Module, neck: nn.Module | None) -> None:
        parts = nn.ModuleList([backbone] if neck is None else [backbone, neck])
        self.declared: int | None = getattr(backbone, 'size_divisor', None)
        tensors = [*parts.parameters(), *parts.buffers()]
        self.bands = next((m.in_channels for m in backbone.modules() if isinstance(m, nn.Conv2d)), 3)
        try:
            shapes_only = {id(own): own.detach().to('meta') for own in tensors}  # copies no weights
            self.parts = copy.deepcopy(parts, shapes_only).eval()
        except Exception:  # of parts that cannot be copied
            self.tells = False
            return
        self.tells = any(self._filled(own) is not None for own in (USUAL_DIVISOR, _OF_MANY))

    def fills(self, multiple: int) -> bool | None:
        """Whether the maps of images, whose sides are multiples of this, consist of whole cells; None: unknown.

        Where no shapes can be told, it is what the ``size_divisor`` of the backbone says, if it has one.
        """
        if self.tells:
            return bool(self._filled(multiple))
        return None if self.declared is None else multiple % self.declared == 0

    def multiple(self) -> int | None:
        """The usual multiple where it fits, else the least; None: unknown."""
        return next((own for own in (USUAL_DIVISOR, *range(1, _MOST + 1)) if self.fills(own)), None)

    def _filled(self, multiple: int) -> bool | None:
        """None where the parts take no images of this size, or shapes do not tell.

        A map of an image that is many times as high as wide is as many times as high as wide, or else there is a
        remainder, left out or padded, that moves what the map says.
        """
        try:
            with torch.no_grad():
                maps: Any = torch.zeros(1, self.bands, _LENGTH * multiple, multiple, device='meta')
                for part in self.parts:
                    maps = part(maps)
            sizes = [own.shape[-2:] for own in ([maps] if isinstance(maps, Tensor) else maps)]
        except Exception:  # of code that needs numbers, takes other sizes, or gives tokens in place of maps
            return None
        return all(rows == _LENGTH * columns for rows, columns in sizes)


def fit_padding(preprocessor: Any, backbone: nn.Module, neck: nn.Module | None) -> int:
    """Makes a preprocessor pad to multiples that the maps of a backbone fill exactly.

    Args:
        preprocessor: With ``size_divisor``; where ``divisor_is_given`` is False, it may be changed.
        backbone: Of the model.
        neck: Of the model.

    Returns:
        The multiple that images, and their tiles, have.

    Raises:
        OptionError: Where the config gives another divisor, with one that fits.
    """
    probe = CellProbe(backbone, neck)
    multiple, divisor = probe.multiple(), getattr(preprocessor, 'size_divisor', None)
    if multiple is None or divisor is None or probe.fills(divisor):
        return multiple or USUAL_DIVISOR
    if getattr(preprocessor, 'divisor_is_given', True):
        behind = '' if neck is None else ' and the neck'
        raise OptionError(
            f'model.data_preprocessor.size_divisor = {divisor}, but the maps of the backbone{behind} fill images of a '
            f'multiple of {multiple} pixels only, so that masks would be shifted: leave it out, or give {multiple}'
        )
    preprocessor.size_divisor = multiple
    return multiple
