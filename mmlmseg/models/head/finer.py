"""Declared relations in the class logits: a class is as probable as itself and all finer classes together."""

from __future__ import annotations

import torch
from torch import Tensor

from ..numerics import ClassActivation, at_least_float32, no_autocast


def sum_finer(logits: Tensor, finer: Tensor, members: Tensor, activation: ClassActivation) -> Tensor:
    """Unites the logits of each class with those of the finer classes that are inside of it.

    With ``softmax``, whose probabilities are of one draw, those of a class and its finer ones add up, which is
    ``logsumexp`` of their logits. With ``sigmoid``, whose classes are independent, a class is there where one of them
    is: of two odds, ``(1 + a)(1 + b) - 1 = a + b + ab``.

    Args:
        logits: Of the classes and no-object ``[L, B, N, K + 1]``.
        finer: Of the finer classes of each sample ``[L, B, N, E]``.
        members: Which of them each class holds, long ``[B, K + 1, G]``; E where there are fewer.
        activation: What the logits mean.

    Returns:
        ``[L, B, N, K + 1]``; a class without finer ones keeps its logit, to the bit.
    """
    with no_autocast(logits):
        logits, finer = at_least_float32(logits), at_least_float32(finer)
        every = torch.cat([finer, logits.new_full((*logits.shape[:-1], 1), -torch.inf)], -1)  # [L, B, N, E + 1]
        index = members.flatten(1)[None, :, None].expand(*logits.shape[:3], -1)  # [L, B, N, (K + 1) * G]
        others = every.gather(-1, index).unflatten(-1, members.shape[1:])  # [L, B, N, K + 1, G], -inf where none
        if activation == 'softmax':
            return torch.cat([logits[..., None], others], -1).logsumexp(-1)
        for other in others.unbind(-1):
            logits = torch.stack([logits, other, logits + other], -1).logsumexp(-1)
        return logits
