"""Many short texts in few packs of tokens, behind a lead that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# A pack of T tokens costs T**2 in attention, a text of its own a product each; 32 was the fastest of 32, 64, 128.
PACK_TOKENS = 32


@dataclass(frozen=True)
class Packs:
    """P packs of T tokens: texts side by side, and at the beginning of the first pack a lead that all of them share.

    Every token attends to keys of a copy of the lead, and to those of its own pack.

    Attributes:
        lead: How many tokens all texts begin with.
        tokens: ``[P, T]`` ids; 0 in place of the lead, and where nothing is.
        position: ``[P, T]``, of each token in its text, the lead counted.
        bias: ``[P, 1, T, lead + T]`` float32, 0 where a token attends and -inf elsewhere. Tokens of a text see the lead
            and their text up to themselves; those of the lead themselves, where they stand.
        ends: ``[n]``, where the last token of each text stands in the row of all P * T.
    """

    lead: int
    tokens: Tensor
    position: Tensor
    bias: Tensor
    ends: Tensor

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]], lead: int, device: torch.device) -> Packs:
        """Packs texts of token ids, none empty, behind ``lead`` >= 1 tokens."""
        lengths = [lead, *map(len, texts)]
        shares = balanced(lengths, PACK_TOKENS)
        size = max(sum(lengths[i] for i in share) for share in shares)
        columns: list[tuple[int, int, int]] = []  # a token, its position, its text; text 0 is the lead
        ends = [0] * len(lengths)
        for row, share in enumerate(shares, 1):
            for i in share:
                text, first = (texts[i - 1], lead) if i else ([0] * lead, 0)
                columns += [(token, place, i) for place, token in enumerate(text, first)]
                ends[i] = len(columns) - 1
            columns += [(0, 0, -1)] * (row * size - len(columns))
        tokens, position, text_of = torch.tensor(columns).T.reshape(3, len(shares), size)
        own_text = (text_of[:, :, None] == text_of[:, None]).tril()  # [P, T, T]
        sees_lead = (text_of > 0)[:, :, None].expand(-1, -1, lead)
        sees = torch.cat([sees_lead, own_text], dim=-1)[:, None]
        bias = torch.zeros(sees.shape).masked_fill(~sees, -torch.inf)
        own = (part.to(device) for part in (tokens, position, bias, torch.tensor(ends[1:])))
        return cls(lead, *own)


def balanced(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Shares things out so that all shares are about equally long: the longest first, each to the shortest so far.

    Args:
        lengths: Of the things.
        size: About how long a share is; there are as many as that makes.

    Returns:
        Of each share the indices of its things; thing 0 is the first of the first share, and no share is empty.

    Example:
        >>> balanced([1, 2, 5, 2], 5)
        [[0, 1, 3], [2]]
    """
    shares: list[list[int]] = [[] for _ in range(-(-sum(lengths) // size))]
    loads = [0] * len(shares)
    for i in [0, *sorted(range(1, len(lengths)), key=lambda i: -lengths[i])]:
        shortest = loads.index(min(loads))
        shares[shortest].append(i)
        loads[shortest] += lengths[i]
    return [share for share in shares if share]
