"""Segment queries: the N slots that become masks and classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import LabelSpaceError, OptionError
from ...label_space import LabelSpaces
from ...registry import MODELS
from .adapters import PerSpace, join_idle

Mode = Literal['replace', 'add']


def _check_number(num_queries: int) -> None:
    if not isinstance(num_queries, int) or num_queries < 1:
        raise OptionError(
            f'num_queries = {num_queries}: a model finds with at least one query, all spaces with as many'
        )


@MODELS.register_module()
class SharedQueries(BaseModule):
    """One query set for all label spaces (LMSeg, section 3.4): contents start at zero, positions are learned.

    Args:
        channels: C, the width of a query.
        label_spaces: Unused; every query module is built with them.
        num_queries: N.
        learn_content: Let contents start from a learned embedding instead, as in LMSeg's published code.
        init_cfg: See mmengine's BaseModule.

    Raises:
        OptionError: Without a query.
    """

    def __init__(
        self,
        channels: int,
        label_spaces: LabelSpaces | None = None,
        num_queries: int = 100,
        learn_content: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        _check_number(num_queries)
        self.num_queries = num_queries
        self.position = nn.Embedding(num_queries, channels)
        self.content = nn.Embedding(num_queries, channels) if learn_content else None

    def forward(self, spaces: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The contents and positions of the queries of B samples, both ``[B, N, C]``, by their label spaces."""
        position = self.position.weight.expand(len(spaces), -1, -1)  # [B, N, C]
        content = torch.zeros_like(position) if self.content is None else self.content.weight.expand_as(position)
        return content, position


@MODELS.register_module()
class LabelSpaceQueries(PerSpace, BaseModule):
    """Queries of each label space's own: RESI's label-space-specific query embeddings, as far as their name tells.

    The paper's text is not public; see docs/resi.md. All spaces start alike, contents and positions are learned. A
    space that is added to a trained model starts from the mean of the others' own.

    Args:
        channels: C, the width of a query.
        label_spaces: The spaces of the model.
        num_queries: N of a set.
        mode: ``replace``: a set for each space. ``add``: a shared set, to which each space adds its own offsets, zero
            at the start.
        init_cfg: See mmengine's BaseModule.

    Raises:
        OptionError: On another mode, or without a query.
    """

    def __init__(
        self,
        channels: int,
        label_spaces: LabelSpaces,
        num_queries: int = 100,
        mode: Mode = 'replace',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if mode not in ('replace', 'add'):
            raise OptionError(f'mode must be "replace" or "add", got {mode!r}')
        _check_number(num_queries)
        self.position = {space.name: i for i, space in enumerate(label_spaces)}
        own = torch.randn(2, num_queries, channels)  # contents and positions
        own = torch.zeros_like(own) if mode == 'add' else own
        self.shared = None if mode == 'replace' else nn.Parameter(torch.randn(2, num_queries, channels))
        self.own = nn.ParameterList([nn.Parameter(own.clone()) for _ in label_spaces])

    def forward(self, spaces: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Gives each of the B samples the queries of its space: contents and positions, both ``[B, N, C]``.

        A free class list has the shared queries only.
        """
        sets = {space: self._set(space) for space in dict.fromkeys(spaces)}  # [2, N, C]
        content, position = join_idle(torch.stack([sets[space] for space in spaces], dim=1), self.own)  # [B, N, C]
        return content, position

    def start(self, space: str, trained: Mapping[str, Tensor]) -> dict[str, Tensor]:
        sets = [value for name, value in trained.items() if name.startswith('own.')]
        if not sets:
            return super().start(space, trained)
        # As all started alike, query n of one space is still the counterpart of query n of another.
        return {self.prefix_of(space): torch.stack(sets).mean(0)}

    def _set(self, space: str) -> Tensor:
        own = self.own[self.position[space]] if space in self.position else None
        if self.shared is None:
            if own is None:
                raise LabelSpaceError(
                    f'{space!r} is none of the label spaces that have queries ({", ".join(self.position)}), and none '
                    "are shared: ask for one of these, or train with queries of mode 'add'"
                )
            return own
        return self.shared if own is None else self.shared + own
