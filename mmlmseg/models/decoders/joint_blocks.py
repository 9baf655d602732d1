"""Queries among the patches of a vision transformer's last blocks (EoMT, Kerssies et al., CVPR 2025, section 3).

The blocks attend jointly: queries read patches and each other, and patches read queries. In training the queries first
read the patches inside their masks only; that is annealed away, block by block, so that inference needs no masks
between the blocks (there, figure 5).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import OptionError
from ...registry import MODELS
from ...training_progress import training_progress
from ..backbones.joint_vit import PatchTokens
from ..structures import Categories

ReadMasks = Callable[[Tensor, Tensor], Tensor]
"""From queries ``[B, N, C]`` and patches ``[B, C, h, w]`` to mask logits ``[B, N, H, W]`` of any size."""

ANNEALING_POWER = 0.9


@MODELS.register_module()
class JointBlocks(BaseModule):
    """Runs the blocks that a :class:`JointViT` leaves.

    Args:
        channels: C, the width of the transformer, of queries and of text rows.
        category_guided: Put the text rows of the sample's label space beside the queries, as LMSeg's decoder reads them
            (section 3.4). Queries and patches read them too.
        masked_attention: Begin with queries that read inside their masks.
        init_cfg: See mmengine's BaseModule.
    """

    def __init__(
        self,
        channels: int,
        category_guided: bool = False,
        masked_attention: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.text = nn.Linear(channels, channels) if category_guided else None
        self.masked_attention = masked_attention

    def forward(
        self, tokens: PatchTokens, queries: Tensor, categories: Categories, read_masks: ReadMasks
    ) -> list[tuple[Tensor, Tensor]]:
        """Decodes queries.

        Args:
            tokens: Of the samples; each has the patches of its own image.
            queries: ``[B, N, C]``.
            categories: What each sample may be classified as.
            read_masks: What masks queries make on patches.

        Returns:
            Queries ``[B, N, C]`` and patches ``[B, C, h, w]``, normed: in training before every block and after the
            last one, in evaluation the latter only.

        Raises:
            OptionError: Where text shall guide, but there is none, or where widths differ.
        """
        if queries.shape[-1] != tokens.patches.shape[-1]:
            raise OptionError(
                f'decode_head.channels = {queries.shape[-1]}, but the transformer is {tokens.patches.shape[-1]} wide, '
                f'and its blocks take queries of their own width: write channels={tokens.patches.shape[-1]}'
            )
        text, hidden = self._text(categories, queries)
        prefix, number = tokens.prefix.shape[1], queries.shape[1]
        first_patch = prefix + number + text.shape[1]
        x = torch.cat([tokens.prefix, queries.to(tokens.patches), text.to(tokens.patches), tokens.patches], dim=1)
        rope = tokens.rope_with(number + text.shape[1])
        visible = None
        if hidden is not None:
            visible = ~F.pad(hidden, (prefix + number, tokens.patches.shape[1]))[:, None]  # [B, 1, T]

        def read() -> tuple[Tensor, Tensor]:
            normed = tokens.norm(x)
            patches = normed[:, first_patch:].transpose(1, 2).unflatten(2, tokens.size)
            return normed[:, prefix : prefix + number], patches

        found = []
        for i, block in enumerate(tokens.blocks):
            seen = visible
            if self.training:
                found.append(read())
                share = masked_share(i, len(tokens.blocks)) if self.masked_attention else 0.0
                if share:
                    inside = inside_masks(read_masks(*found[-1]), tokens.size, share)  # [B, N, h*w]
                    every = inside.new_ones(len(x), x.shape[1], x.shape[1])
                    every[:, prefix : prefix + number, first_patch:] = inside
                    seen = every if visible is None else every & visible
            more = {} if rope is None else dict(rope=rope)
            x = block(x, attn_mask=None if seen is None else seen[:, None].expand(-1, 1, x.shape[1], -1), **more)
        return [*found, read()]

    def _text(self, categories: Categories, like: Tensor) -> tuple[Tensor, Tensor | None]:
        """Text tokens ``[B, K + 1, C]``, none where text does not guide, and which of them are no class."""
        if self.text is None:
            return like[:, :0], None
        if categories.rows is None:
            raise OptionError('category_guided needs text rows: give the head a text=dict(...)')
        return self.text(categories.rows.to(like.dtype)), ~categories.valid


@torch.no_grad()
def inside_masks(mask_logits: Tensor, size: tuple[int, int], share: float) -> Tensor:
    """Where queries look: inside their masks, as far as these count yet.

    Args:
        mask_logits: ``[B, N, H, W]``.
        size: (h, w) of the patches.
        share: Of the queries that are held to their masks, drawn anew each time; the others look everywhere.

    Returns:
        bool ``[B, N, h*w]``.
    """
    small = F.interpolate(mask_logits.float(), size=size, mode='bilinear', align_corners=False)
    inside = (small > 0).flatten(2)
    free = torch.rand(inside.shape[:2], device=inside.device) >= share
    return inside | free[..., None]


def masked_share(block: int, blocks: int) -> float:
    """The share of the queries that masks hold in a joint block, by how much of the training is over.

    All of them at first. Cut the training into L2 + 2 parts: in block i it falls to none over part i + 1, slowly at
    first, so that the first block is free first and the last part is trained as it will be used. Without a running
    training all are held.

    Example:
        >>> [masked_share(block, 3) for block in range(3)]
        [1.0, 1.0, 1.0]
    """
    done = training_progress() * (blocks + 2) - (block + 1)
    return float(1 - min(max(done, 0.0), 1.0)) ** ANNEALING_POWER
