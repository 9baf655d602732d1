"""Many short texts in few rows of tokens, behind tokens that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# A pack of T tokens costs T**2 in attention, a text of its own a product each; 32 was the fastest of 32, 64, 128.
PACK_TOKENS = 32


@dataclass(frozen=True)
class Packs:
    """P packs of T tokens behind a shared lead.

    A transformer runs over the row ``[lead + P * T, w]`` of all of them; only attention tells packs apart.

    Attributes:
        lead: How many tokens all texts begin with.
        tokens: ``[P, T]`` ids; the rest of a pack is filled with 0, which nothing sees.
        position: ``[P, T]``, of each token in its text, the lead counted.
        bias: ``[P, 1, T, lead + T]`` float32, 0 where a token attends and -inf elsewhere: to the lead, and to its own
            text up to itself.
        lead_bias: ``[lead, lead]``, likewise: to the lead up to itself.
        ends: ``[n]``, where in the row the last token of each text stands.
    """

    lead: int
    tokens: Tensor
    position: Tensor
    bias: Tensor
    lead_bias: Tensor
    ends: Tensor

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]], lead: int, device: torch.device) -> Packs:
        """Packs texts of token ids, none empty, behind ``lead`` >= 1 tokens."""
        shares = balanced([len(text) for text in texts], PACK_TOKENS)
        size = max(sum(len(texts[i]) for i in share) for share in shares)
        columns: list[tuple[int, int, int]] = []  # token, its position, the text that owns it
        ends = [0] * len(texts)
        for row, share in enumerate(shares, 1):
            for i in share:
                columns += [(token, lead + place, i) for place, token in enumerate(texts[i])]
                ends[i] = lead + len(columns) - 1
            columns += [(0, 0, -1)] * (row * size - len(columns))
        tokens, position, owner = torch.tensor(columns).T.reshape(3, len(shares), size)
        own_text = (owner[:, :, None] == owner[:, None]).tril()  # [P, T, T]
        sees = F.pad(own_text, (lead, 0), value=True)[:, None]
        return cls(
            lead,
            tokens.to(device),
            position.to(device),
            _bias(sees).to(device),
            _bias(torch.ones(lead, lead, dtype=torch.bool).tril()).to(device),
            torch.tensor(ends, device=device),
        )


def balanced(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Shares things out so that all shares are about equally long: the longest first, each to the shortest so far.

    Args:
        lengths: Of the things.
        size: About how long a share is; there are as many as that makes.

    Returns:
        Of each share the indices of its things; none is empty.

    Example:
        >>> balanced([1, 2, 5, 2], 5)
        [[2], [1, 3, 0]]
    """
    shares: list[list[int]] = [[] for _ in range(-(-sum(lengths) // size))]
    loads = [0] * len(shares)
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        shortest = loads.index(min(loads))
        shares[shortest].append(i)
        loads[shortest] += lengths[i]
    return [share for share in shares if share]


def _bias(sees: Tensor) -> Tensor:
    return torch.zeros(sees.shape).masked_fill(~sees, -torch.inf)
