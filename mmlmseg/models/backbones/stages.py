"""The maps that a backbone gives: which, how wide, and how many pixels a cell of each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ...errors import OptionError

_LEAST_STRIDE = 4  # finer maps are read by no pixel decoder


@dataclass(frozen=True)
class Stages:
    """Some maps of a model, fine first.

    Attributes:
        indices: Which they are of all that it has.
        channels: Of each.
        strides: Pixels of a cell of each.
        is_plain: Whether all that the model has are of one stride, as those of a plain vision transformer.
    """

    indices: tuple[int, ...]
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    is_plain: bool

    @classmethod
    def chosen(cls, channels: Sequence[int], strides: Sequence[int], asked: Sequence[int] | None, name: str) -> Stages:
        """Those of a model that are asked for, or else the last of each stride from 4 on.

        Args:
            channels: Of each map that the model has.
            strides: Of each.
            asked: Their places, counted from 0 or, below it, from the end.
            name: Of the model.

        Raises:
            OptionError: On a place that there is not, one that comes twice, or another order than the model's.

        Example:
            >>> Stages.chosen([8, 8, 16, 32], [2, 4, 8, 16], None, 'some model').indices
            (1, 2, 3)
        """
        number, is_plain = len(strides), len(set(strides)) == 1
        if asked is None:
            last = {stride: i for i, stride in enumerate(strides)}
            asked = sorted(i for stride, i in last.items() if is_plain or stride >= _LEAST_STRIDE)
        if isinstance(asked, int) or not asked or any(not isinstance(i, int) for i in asked):
            raise OptionError(f'backbone.out_indices = {asked!r}; list places of maps, such as [{number - 1}]')
        if any(not -number <= i < number for i in asked):
            raise OptionError(
                f'backbone.out_indices = {list(asked)}: {name} has {number} {"blocks" if is_plain else "stages"}; list '
                f'some of 0 to {number - 1}'
            )
        indices = tuple(i % number for i in asked)
        if list(indices) != sorted(set(indices)):
            raise OptionError(f'backbone.out_indices = {list(asked)}: list each once, in the order of the model')
        return cls(indices, tuple(channels[i] for i in indices), tuple(strides[i] for i in indices), is_plain)

    @property
    def size_divisor(self) -> int:
        """What height and width of images are multiples of."""
        return max(self.strides)

    def check_size(self, images: Tensor, name: str) -> None:
        """Refuses images ``[B, bands, H, W]`` that are not made of whole patches of a plain model of some name.

        Raises:
            OptionError: As what a map says of a cell would be shifted.
        """
        height, width = images.shape[-2:]
        patch = self.size_divisor
        if self.is_plain and (height % patch or width % patch):
            raise OptionError(
                f'{name} cuts images into patches of {patch} pixels, but got one of {height}x{width}, so its maps '
                f'would be shifted: set model.data_preprocessor.size_divisor to a multiple of {patch}, or leave it out'
            )
