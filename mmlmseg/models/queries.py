"""Segment queries: the N slots that become masks and classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..label_space import LabelSpaces
from ..registry import MODELS

__all__ = ['SharedQueries']


@MODELS.register_module()
class SharedQueries(BaseModule):
    """One query set for all label spaces (LMSeg, section 3.4): contents start at zero, positions are learned.

    Args:
        channels: C, the width of a query.
        label_spaces: Unused; every query module is built with them.
        num_queries: N.
        learn_content: Let contents start from a learned embedding instead, as in LMSeg's published code.
        init_cfg: See mmengine's BaseModule.
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
        self.num_queries = num_queries
        self.position = nn.Embedding(num_queries, channels)
        self.content = nn.Embedding(num_queries, channels) if learn_content else None

    def forward(self, spaces: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Gives each sample its queries.

        Args:
            spaces: The label space of each sample, length B.

        Returns:
            Contents and positions, both ``[B, N, C]``.
        """
        position = self.position.weight.expand(len(spaces), -1, -1)  # [B, N, C]
        content = torch.zeros_like(position) if self.content is None else self.content.weight.expand_as(position)
        return content, position
