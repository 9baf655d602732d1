"""What a trained model says of claims: as what it finds the classes of one label space in another.

A model that reads both label spaces is asked for one on images of the other. Where classes are the same, it finds each
as the other; where one is inside the other, the smaller one as the larger one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..evaluation.confusion import Confusion
from .claims import Claim, Place
from .concepts import is_rest

FOUND, MISSED = 0.5, 0.1
"""The share of a class from which on it is found as another, and up to which it is not."""
KNOWN = 0.3
"""A model that finds less of a class in images of its own label space says nothing of it."""
PIXELS = 1000
"""So many pixels of a class it takes."""

Confusions = Mapping[tuple[str, str], Confusion]
"""By names of label spaces: that of the images, and the one asked for."""


def judged(claims: Sequence[Claim], confusions: Confusions) -> list[Claim]:
    """Adds to each claim what was found, and whether that confirms it or makes it doubtful."""
    seen = _Findings(confusions)
    return [_judged(claim, seen) for claim in claims]


def suggested(claims: Sequence[Claim], confusions: Confusions) -> list[Claim]:
    """What names do not tell: classes without a claim that are found as each other, the surest first.

    Both ways, since a model has to call everything by some class of the list: in a list of clothes, trees are coats.
    """
    seen = _Findings(confusions)
    known = {frozenset((claim.first, claim.second)) for claim in claims}
    found = []
    for (a, b), confusion in confusions.items():
        if a < b and (b, a) in confusions:
            there, back = seen.shares(a, b), seen.shares(b, a).T
            for i, j in ((there >= FOUND) & (back >= FOUND)).nonzero().tolist():
                pair = Place(a, i, confusion.truth.classes[i]), Place(b, j, confusion.prediction.classes[j])
                if frozenset(pair) not in known and not any(is_rest(place.name) for place in pair):
                    why = 'the model finds each as the other'
                    found.append(Claim('same', *pair, why, (float(there[i, j]), float(back[i, j]))))
    return sorted(found, key=lambda claim: -sum(share or 0 for share in claim.found))


class _Findings:
    """As what classes are found, where the model knows them and there are pixels enough to tell."""

    def __init__(self, confusions: Confusions) -> None:
        self.confusions = confusions
        self._shares: dict[tuple[str, str], Tensor] = {}

    def shares(self, space: str, asked: str) -> Tensor:
        """The share of each class ``[R]`` found as each asked one ``[C]``; nan where that says nothing."""
        if (space, asked) not in self._shares:
            self._shares[space, asked] = self._measured(space, asked)
        return self._shares[space, asked]

    def _measured(self, space: str, asked: str) -> Tensor:
        confusion = self.confusions[space, asked]
        shares = torch.where(confusion.counts.sum(1, keepdim=True) >= PIXELS, confusion.shares, torch.nan)
        own = self.confusions.get((asked, asked))
        if own is not None:
            known = own.shares.diagonal().nan_to_num(0) >= KNOWN
            shares = torch.where(known, shares, torch.nan)
        return shares

    def share(self, of: Place, found_as: Place) -> float | None:
        """None where nothing is known."""
        if (of.space, found_as.space) not in self.confusions:
            return None
        share = float(self.shares(of.space, found_as.space)[of.label, found_as.label])
        return None if share != share else share


def _judged(claim: Claim, seen: _Findings) -> Claim:
    there, back = seen.share(claim.first, claim.second), seen.share(claim.second, claim.first)
    told = [share for share in ((there, back) if claim.kind == 'same' else (there,)) if share is not None]
    claim = replace(claim, found=(there, back))
    if claim.kind == 'clash' or not told:
        return claim
    if min(told) >= FOUND:
        return replace(claim, verdict='confirmed')
    return replace(claim, verdict='doubted') if max(told) <= MISSED else claim
