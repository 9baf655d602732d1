"""Parameters that serve one label space each: what modules that hold some have in common, and adapters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import CheckpointError
from ...label_space import LabelSpaces
from ...registry import MODELS


class PerSpace:
    """A module with a list of parts that serve one label space each, in the order of the label spaces.

    They are all that a label space which is added to a trained model still trains. A list: names of spaces may hold
    dots, which the names of modules and parameters must not.

    Attributes:
        parts: The name of the list.
        position: The place of each space in it; spaces may be without.
    """

    parts: ClassVar[str] = 'own'
    position: dict[str, int]

    def prefix_of(self, space: str) -> str:
        """What the names of the parameters that serve a label space and no other begin with, within the module."""
        return f'{self.parts}.{self.position[space]}'

    def start(self, space: str, trained: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Where what serves an added label space starts: by default, as in a new model.

        Args:
            space: The added space.
            trained: What the checkpoint of a model without it holds of this module, by the names in the module.
        """
        first, own = self.prefix_of(space), self.state_dict()  # type: ignore[attr-defined]
        return {name: value for name, value in own.items() if f'{name}.'.startswith(f'{first}.')}

    def from_fewer(self, trained: Mapping[str, Tensor], spaces: Sequence[str]) -> dict[str, Tensor]:
        """The weights of this module, from those of one that served some of its label spaces only.

        Args:
            trained: Of the other module, by the names in it.
            spaces: The label spaces of its model, in their order.

        Raises:
            CheckpointError: Where it has a part of a space that has none here.
        """
        known = [self.position[space] for space in spaces if space in self.position]
        weights = {}
        for name, value in trained.items():
            parts, _, rest = name.partition('.')
            if parts == self.parts:
                place, *rest_of = rest.split('.')
                if int(place) >= len(known):
                    raise CheckpointError(
                        f'the checkpoint holds {parts}.{place} of {type(self).__name__}, but the config has only '
                        f'{len(known)} for {", ".join(spaces)}; give these the same parts as the trained model'
                    )
                name = '.'.join([parts, str(known[int(place)]), *rest_of])
            weights[name] = value
        for space in self.position.keys() - set(spaces):
            weights.update(self.start(space, trained))
        return weights


def served_alone(model: nn.Module) -> dict[str, str]:
    """The label spaces that parameters of a model serve alone, by the prefixes of the parameters' names."""
    return {
        f'{place}.{module.prefix_of(space)}': space
        for place, module in model.named_modules()
        if isinstance(module, PerSpace)
        for space in module.position
    }


class _JoinIdle(torch.autograd.Function):
    """Outputs as they are, which also give each parameter a gradient of zero."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(*parameters)
        return outputs.view_as(outputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        return gradient, *map(torch.zeros_like, ctx.saved_tensors)


def join_idle(outputs: Tensor, parameters: Iterable[Tensor]) -> Tensor:
    """Joins parameters with weight 0 to what a step may have made without them.

    Distributed training wants a gradient for every trained parameter, and AdamW moves one without a gradient otherwise
    than one whose gradient is 0. Where no gradient is recorded, or none of them is trained, the outputs are returned as
    they are.
    """
    trained = [p for p in parameters if p.requires_grad] if torch.is_grad_enabled() else []
    return _JoinIdle.apply(outputs, *trained) if trained else outputs


@MODELS.register_module()
class SpaceAdapter(nn.Module):
    """A residual bottleneck over decoded queries: ``x + up(relu(down(x)))``.

    ``up`` starts at zero, so a model with an untrained adapter predicts as without it. Decoded queries come normalised.

    Args:
        channels: C, the width of a query.
        width: Channels of the bottleneck.
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
    """The adapters of a model, at most one a label space: what a space of its own changes about decoded queries.

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
        self.own = nn.ModuleList([MODELS.build({**adapters[name], 'channels': channels}) for name in self.position])

    def forward(self, queries: Tensor, spaces: Sequence[str]) -> Tensor:
        """Adapts decoded queries ``[L, B, N, C]`` of the samples whose space has an adapter, and no others."""
        if any(space in self.position for space in spaces):
            adapters = [self.own[self.position[space]] if space in self.position else nn.Identity() for space in spaces]
            queries = torch.stack([adapt(queries[:, b]) for b, adapt in enumerate(adapters)], dim=1)
        return join_idle(queries, self.parameters())
