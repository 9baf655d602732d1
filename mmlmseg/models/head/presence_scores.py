"""Presence: which classes of a list are anywhere in the image, told before queries are decoded.

A category-guided decoder reads the whole list with a softmax over it. Of a list much longer than those of the training,
most of which is not there, that takes a third of the score and more (docs/benchmarks.md, "Longer lists"). So the
decoder reads the likeliest names alone, in training and evaluation as many of them, and what is likely absent is an
unlikely class of any query. SAM 3 multiplies the scores of a concept by its presence in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine import dist
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import OptionError
from ..numerics import at_least_float32, no_autocast
from ..structures import Categories, MemoryLevel

TAU = 0.07  # the temperature of equation 1 of LMSeg
RARE = -2.0  # where the bias begins: most classes of a list are not in an image


class PresenceScores(BaseModule):
    """Compares the text rows of a list with the pixels of the coarsest memory.

    Args:
        channels: C, the width of memory and text rows.
        top: How many names the decoder reads at most.
        init_cfg: See mmengine's BaseModule.

    Raises:
        OptionError: On another ``top`` than a whole number from 1 on.
    """

    def __init__(self, channels: int, top: int, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if not isinstance(top, int) or isinstance(top, bool) or top < 1:
            raise OptionError(f'decode_head.presence.top is {top!r}; it must be a whole number from 1 on')
        self.top = top
        self.project = nn.Linear(channels, channels)
        self.bias = nn.Parameter(torch.tensor(RARE))

    def forward(self, memory: Sequence[MemoryLevel], categories: Categories) -> Tensor:
        """How much speaks for each class of a list.

        Of a class it is the mean of ``exp(cosine / tau)`` over the pixels, which a small object moves as well.

        Args:
            memory: Of B images, coarse first.
            categories: Of B * S samples, with text rows.

        Returns:
            Logits ``[B * S, K]``, float32 or better.
        """
        assert categories.rows is not None
        value, padding = memory[0].value, memory[0].padding
        with no_autocast(value):
            pixels = F.normalize(self.project(at_least_float32(value)), dim=-1)  # [B, P, C]
            rows = F.normalize(at_least_float32(categories.rows[:, :-1]), dim=-1)  # [B * S, K, C]
            sets = rows.unflatten(0, (pixels.shape[0], -1)).flatten(1, 2)  # [B, S * K, C]
            alike = (sets @ pixels.transpose(1, 2) / TAU).masked_fill(padding[:, None], -torch.inf)  # [B, S * K, P]
            mean = alike.logsumexp(-1) - (~padding).sum(1, keepdim=True).log()
            return (mean + self.bias).unflatten(1, (-1, rows.shape[1])).flatten(0, 1)

    def guiding(self, logits: Tensor, categories: Categories) -> Categories:
        """The categories that the decoder reads: in training first those that are there, then the likeliest.

        Args:
            logits: As of :meth:`forward`.
            categories: Of the samples.
        """
        # With room for `top` columns more there are always as many, and no question of a length in an exported graph.
        scores = F.pad(
            logits.detach().masked_fill(~categories.valid[:, :-1], -torch.inf), (0, self.top), value=-torch.inf
        )
        if categories.present is not None:
            scores = scores.masked_fill(F.pad(categories.present, (0, self.top)), torch.inf)
        best = scores.topk(self.top, dim=1).indices
        kept = torch.zeros_like(scores, dtype=torch.bool).scatter(1, best, True)
        return categories.restricted(kept[:, : logits.shape[1]])

    def loss(self, logits: Tensor, valid: Tensor, present: Tensor) -> Tensor:
        """Binary cross entropy of all classes on the lists, over the number of those that are there.

        Args:
            logits: Of all samples of the step, ``[B, K]``.
            valid: The classes on their lists, bool ``[B, K]``.
            present: Those that are there, bool ``[B, K]``.
        """
        count = (present & valid).sum().to(logits)
        dist.all_reduce(count)
        every = F.binary_cross_entropy_with_logits(logits, present.to(logits), reduction='none')
        return (every * valid).sum() / (count / dist.get_world_size()).clamp(min=1)


def lowered(class_logits: Tensor, presence: Tensor) -> Tensor:
    """Class logits where a class is as improbable for any query as it is in the image.

    Args:
        class_logits: ``[L, B * S, N, K + 1]``, no-object last; that stays.
        presence: Logits ``[B * S, K]``.
    """
    return class_logits + F.pad(F.logsigmoid(presence), (0, 1))[None, :, None]
