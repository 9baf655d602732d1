"""Candidates compete for the pixels of an image, a window at a time, and make disjoint segments."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...segments import SegmentMap
from .lazy_maps import Size, best


class Competition:
    """Who gets each pixel, and what every candidate wins of its mask.

    Candidates have numbers from 0 on, in the order in which they enter.

    Args:
        size: Height and width of the original image.
        device: Where the candidates are.
    """

    def __init__(self, size: Size, device: torch.device) -> None:
        self._winner = torch.zeros(size, dtype=torch.int32, device=device)  # number + 1; 0 where nobody is sure
        # Pixels of mask probability 0.5 or more, pixels won, and of these the ones that are sure: [3, n]
        self._counts = torch.zeros(3, 0, dtype=torch.double, device=device)

    @property
    def entered(self) -> int:
        """How many candidates there are."""
        return self._counts.shape[1]

    def enter(self, number: int) -> Tensor:
        """Lets candidates in; returns their numbers, long ``[number]``."""
        self._counts = F.pad(self._counts, (0, number))
        return torch.arange(self.entered - number, self.entered, device=self._counts.device)

    def decide(
        self,
        window: tuple[slice, slice],
        numbers: Tensor,
        values: Tensor,
        probabilities: Tensor,
        pixel: Tensor,
        coverage: Tensor | None = None,
    ) -> None:
        """Gives each pixel of a window to the candidate with the largest value, if it is sure of it.

        Args:
            window: Rows and columns.
            numbers: Of the c candidates that are there, long ``[c]``, at least one.
            values: ``[R, C, c]``.
            probabilities: Of their masks, ``[R, C, c]``.
            pixel: The mask probability from which on each is sure, ``[c]``.
            coverage: What share of a pixel each may win at all, ``[R, C, c]``; by default all of it.
        """
        inside = probabilities >= 0.5
        area = inside.sum((0, 1)) if coverage is None else (inside * coverage).sum((0, 1))
        first = best(values)  # [R, C]
        sure = probabilities.gather(-1, first[..., None])[..., 0] >= pixel[first]
        winner = numbers[first]
        self._winner[window] = (winner + 1).mul_(sure).int()
        counts = [own.flatten().bincount(minlength=self.entered) for own in (winner, winner[sure])]
        self._counts[0].index_add_(0, numbers, area.double())
        self._counts[1:] += torch.stack(counts)

    def segments(
        self, labels: Tensor, scores: Tensor, overlap: Tensor, is_thing: Tensor, joined: Tensor | None = None
    ) -> SegmentMap:
        """What the candidates won.

        One that gets no pixel, has no pixel of mask probability 0.5 or more, or wins too small a fraction of these,
        leaves void. Those of one stuff class make one segment, one of a thing class makes its own.

        Args:
            labels: The class of each candidate, long ``[n]``.
            scores: ``[n]``.
            overlap: The smallest fraction of its mask that each must win, ``[n]``.
            is_thing: Whether a class is countable, bool ``[K]``.
            joined: For each the first of those that are one with it, long ``[n]``; by default each is by itself.

        Returns:
            Segments with one map: stuff in the order of the classes, then things in the order of the candidates. The
            score of a segment is the mean of its candidates', weighted by the pixels that they got.
        """
        if not self.entered:
            return SegmentMap(self._winner[None], labels, scores=scores)
        itself = torch.arange(self.entered, device=labels.device)
        joined = itself if joined is None else joined
        inside, won, got = torch.zeros_like(self._counts).index_add_(1, joined, self._counts)[:, joined]
        stays = ((got > 0) & (inside > 0) & (won / inside >= overlap)).nonzero()[:, 0]
        # Equal for candidates of one segment: its class for stuff, a number of its own for a thing.
        key = torch.where(is_thing[labels], len(is_thing) + joined, labels)[stays]
        keys, segment = key.unique(return_inverse=True)  # [S], [stays]
        merged = torch.empty_like(keys)
        merged[segment] = labels[stays]
        pixels = self._counts[2, stays].to(scores.dtype)
        total = scores.new_zeros(2, len(keys)).index_add_(1, segment, torch.stack([pixels * scores[stays], pixels]))
        ids = torch.zeros(self.entered + 1, dtype=torch.int32, device=labels.device)
        ids[stays + 1] = segment.int() + 1
        return SegmentMap(ids[self._winner][None], merged, scores=total[0] / total[1])
