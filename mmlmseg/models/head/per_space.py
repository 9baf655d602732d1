"""Parameters that serve one label space each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

__all__ = ['PerSpace', 'join_idle']


class PerSpace:
    """A module with parameters that serve one label space each, in lists by the order of the label spaces.

    They are all that a label space which is added to a trained model still trains.
    """

    def parameters_of(self, space: str) -> dict[str, nn.Parameter]:
        """The parameters that serve this label space and no other, by their names in the module."""
        raise NotImplementedError

    def start(self, space: str, trained: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Where :meth:`parameters_of` start for a space that is added to a trained model: by default, as in a new one.

        Args:
            space: The added space.
            trained: What the checkpoint, which lacks the space, holds of this module, by the names in the module.
        """
        return {name: parameter.detach().clone() for name, parameter in self.parameters_of(space).items()}


def join_idle(outputs: Tensor, parameters: Iterable[Tensor]) -> Tensor:
    """Joins parameters with weight 0 to what a step may have made without them.

    Distributed training wants a gradient for every trained parameter. Where no gradient is recorded, or none of them is
    trained, the outputs are returned as they are.
    """
    trained = [p for p in parameters if p.requires_grad] if torch.is_grad_enabled() else []
    return outputs + sum(p.sum() * 0.0 for p in trained) if trained else outputs
