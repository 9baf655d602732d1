"""Endless random sequences that can be asked for any place: the n-th item depends on the seed and n alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

# What the random numbers are for; part of their seed, so that sequences do not repeat one another.
_DRAW, _SHUFFLE = 0, 1


class Draw(int):
    """The index of a sample, with a key of this draw of it, by which its random transforms are seeded."""

    key: tuple[int, ...]

    def __new__(cls, index: int, key: tuple[int, ...]) -> Draw:
        draw = super().__new__(cls, index)
        draw.key = key
        return draw

    def __reduce__(self) -> tuple[type[Draw], tuple[int, tuple[int, ...]]]:
        return Draw, (int(self), self.key)  # on its way to a worker


class DatasetDraws:
    """An endless sequence of datasets drawn at random, with the count of earlier draws of the same dataset.

    It is made in blocks; going forward costs one small histogram per block, so that skipping millions of draws takes
    less than a second, and nothing before the current block is kept. Equal seeds give equal sequences.

    Example:
        >>> draws = DatasetDraws([0.5, 0.5], seed=0)
        >>> [draws[n][0] for n in range(8)]
        [1, 0, 0, 0, 1, 1, 1, 1]
    """

    block_size = 4096

    def __init__(self, probabilities: Sequence[float], seed: int) -> None:
        self.seed = seed
        self._edges = np.cumsum(probabilities)
        self._edges[np.asarray(probabilities).nonzero()[0][-1] :] = np.inf  # rounding must not reach past the last one
        self._block = -1
        self._datasets: np.ndarray = np.zeros(0, dtype=np.int64)  # of each draw of the block
        self._order: np.ndarray = np.zeros(0, dtype=np.int64)  # the earlier draws of that dataset
        self._before: np.ndarray = np.zeros(len(self._edges), dtype=np.int64)  # draws of each before the block

    def __getitem__(self, n: int) -> tuple[int, int]:
        """The dataset of draw n, and how often it was drawn before."""
        block, place = divmod(n, self.block_size)
        if block < self._block:
            self._block, self._datasets, self._before = -1, self._datasets[:0], np.zeros_like(self._before)
        if block > self._block:
            while block > self._block:
                self._before = self._before + np.bincount(self._datasets, minlength=len(self._edges))
                self._block += 1
                numbers = np.random.default_rng([self.seed, _DRAW, self._block]).random(self.block_size)
                self._datasets = np.searchsorted(self._edges, numbers, side='right')
            self._order = np.zeros(self.block_size, dtype=np.int64)
            for dataset, before in enumerate(self._before):
                drawn = self._datasets == dataset
                self._order[drawn] = before + np.arange(drawn.sum())
        return int(self._datasets[place]), int(self._order[place])


class ShuffledPasses:
    """The samples of one dataset in endless passes, each in a new order, none drawn twice within a pass.

    With ``factors`` a pass holds each sample so many times, rounded down or up at random such that the mean over passes
    is exact: systematic resampling. All passes have the length of their sum, which is rounded up (and the factors with
    it), so that no pass misses a sample.

    Equal seeds give equal sequences; ``stream`` tells those of several datasets apart.

    Args:
        size: The number of samples.
        seed: Of the sequence.
        stream: Likewise.
        factors: Of each sample [size], from 1 on; all 1 by default.

    Attributes:
        length: Of a pass.
    """

    def __init__(self, size: int, seed: int, stream: int, factors: np.ndarray | None = None) -> None:
        self.size = size
        self.factors = factors if factors is not None and (factors > 1).any() else None
        self.length = size if self.factors is None else math.ceil(self.factors.sum() - 1e-9)
        self._key = [seed, _SHUFFLE, stream]
        self._pass = -1
        self._order: np.ndarray = np.zeros(0, dtype=np.int64)

    def __getitem__(self, n: int) -> int:
        """Sample n of the sequence."""
        pass_, place = divmod(n, self.length)
        if pass_ != self._pass:
            self._order = self._order_of(pass_)
            self._pass = pass_
        return int(self._order[place])

    def _order_of(self, pass_: int) -> np.ndarray:
        """The samples of a pass, [length]."""
        random = np.random.default_rng([*self._key, pass_])
        order = random.permutation(self.size)
        if self.factors is None:
            return order
        # Samples lie side by side on a line, each as long as its factor; every whole number behind an offset draws one.
        ends = np.cumsum(self.factors[order])
        ends *= self.length / ends[-1]
        ends[-1] = self.length
        drawn = np.ceil(ends - random.random()).astype(np.int64)
        return random.permutation(np.repeat(order, np.diff(drawn, prepend=0)))
