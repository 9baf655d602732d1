"""Adapters: what a label space of its own changes about decoded queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...label_space import LabelSpaces
from ...registry import MODELS
from .per_space import PerSpace, join_idle

__all__ = ['SpaceAdapter', 'SpaceAdapters']


@MODELS.register_module()
class SpaceAdapter(nn.Module):
    """A residual bottleneck over decoded queries: ``x + up(relu(down(x)))``.

    ``up`` starts at zero, so a model with an untrained adapter predicts as without it. Decoded queries come normalised.

    Args:
        channels: C, the width of a query.
        width: Of the bottleneck.
    """

    def __init__(self, channels: int, width: int = 64) -> None:
        super().__init__()
        self.down = nn.Linear(channels, width)
        self.up = nn.Linear(width, channels)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, queries: Tensor) -> Tensor:
        """``[..., C] -> [..., C]``."""
        return queries + self.up(F.relu(self.down(queries)))


class SpaceAdapters(PerSpace, nn.Module):
    """The adapters of a model, at most one a label space.

    Args:
        channels: C, the width of a query.
        label_spaces: The spaces of the model.
        adapters: Config of each adapter, by the name of its label space.

    Raises:
        LabelSpaceError: On an unknown name.
    """

    def __init__(self, channels: int, label_spaces: LabelSpaces, adapters: Mapping[str, dict[str, Any]]) -> None:
        super().__init__()
        unordered = [label_spaces.get(name).name for name in adapters]
        self.position = {name: i for i, name in enumerate(sorted(unordered, key=label_spaces.names.index))}
        # A list: names of spaces may hold dots, which module names must not.
        self.own = nn.ModuleList([MODELS.build({**adapters[name], 'channels': channels}) for name in self.position])

    def parameters_of(self, space: str) -> dict[str, nn.Parameter]:
        if space not in self.position:
            return {}
        place = self.position[space]
        return {f'own.{place}.{name}': parameter for name, parameter in self.own[place].named_parameters()}

    def forward(self, queries: Tensor, spaces: Sequence[str]) -> Tensor:
        """Adapts decoded queries ``[L, B, N, C]`` of the B samples whose space has an adapter, and no others."""
        if any(space in self.position for space in spaces):
            queries = torch.stack([self._adapt(queries[:, b], space) for b, space in enumerate(spaces)], dim=1)
        return join_idle(queries, self.parameters())

    def _adapt(self, queries: Tensor, space: str) -> Tensor:
        return self.own[self.position[space]](queries) if space in self.position else queries
