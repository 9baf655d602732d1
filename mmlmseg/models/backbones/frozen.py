"""A backbone that can be kept as it is, and then is run without gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ...errors import OptionError


class FreezableBackbone(BaseModule):
    """A backbone with the option ``frozen``; subclasses say what it sees, in :meth:`maps`.

    Frozen, its parameters want no gradient, its forward pass keeps no activations, it stays in evaluation mode (no
    dropout or drop path, norms keep their statistics), and ``mmlmseg.MergedGroupsConstructor`` leaves it out of the
    optimiser. Nothing of it waits for gradients in distributed training.

    Args:
        frozen: Whether it is.
        drop_path: The rate that the subclass was given.
        init_cfg: See mmengine's BaseModule.

    Raises:
        OptionError: On a drop path in a frozen backbone, which would never run, or a rate that is none.
    """

    def __init__(self, frozen: bool, drop_path: float = 0.0, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.frozen = frozen
        if not 0 <= drop_path < 1:
            raise OptionError(f'{type(self).__name__}: drop_path = {drop_path}; give a rate from 0 on and below 1')
        if frozen and drop_path:
            raise OptionError(
                f'{type(self).__name__}: drop_path = {drop_path} is for training, but the backbone is frozen; leave '
                'one of the two out'
            )

    def maps(self, images: Tensor) -> Sequence[Tensor]:
        """Images ``[B, bands, H, W]`` to maps ``[B, C_i, h_i, w_i]``, fine first."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images ``[B, bands, H, W]`` to maps ``[B, C_i, h_i, w_i]``, fine first."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return tuple(self.maps(images))

    def train(self, mode: bool = True) -> FreezableBackbone:
        """Sets the mode, which stays evaluation where frozen; takes the wish for gradients from parameters then."""
        if self.frozen:
            self.requires_grad_(False)
        super().train(mode and not self.frozen)
        return self
