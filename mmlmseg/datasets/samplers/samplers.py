"""Endless samplers over several datasets.

Their order is a pure function of seed, rank, world size and samples consumed: nothing is lost by a restart, and
skipping loads nothing. A step's global batch does not depend on how many processes share it (one dataset per rank is
the exception by its nature): rank r of W takes every W-th sample, so that two processes of batch b see together what
one process of batch 2b sees.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sized
from itertools import count
from typing import Any

from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from ...errors import DataError
from ...registry import DATA_SAMPLERS
from .ratios import Ratio, dataset_probabilities
from .streams import DatasetDraws, ShuffledPasses


class DatasetSampler(Sampler):
    """Draws datasets at random by a ratio, and within each takes samples in shuffled passes without replacement.

    Args:
        dataset: A :class:`MultiDataset`; any other dataset counts as one.
        ratio: See :func:`dataset_probabilities`.
        alpha: The exponent of the ratio ``'power'``.
        seed: By default one that all ranks agree on.
        batch_size: Samples per step and rank, for the samplers that must know where a step ends. Must be that of the
            data loader.

    Raises:
        DataError: Where the ratio is unusable, or the batch size is not positive.
    """

    def __init__(
        self,
        dataset: Sized,
        ratio: Ratio = 'uniform',
        alpha: float = 0.5,
        seed: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise DataError(f'{type(self).__name__}: batch_size is {batch_size}; it must be at least 1')
        self.dataset = dataset
        self.rank, self.world_size = get_dist_info()
        self.batch_size = batch_size
        total = len(dataset)
        self.sizes: list[int] = list(getattr(dataset, 'sizes', [total]))
        names = getattr(dataset, 'names', [str(i) for i in range(len(self.sizes))])
        self.probabilities = dataset_probabilities(ratio, self.sizes, names, alpha)
        self._first = [sum(self.sizes[:i]) for i in range(len(self.sizes))]
        self._start = 0
        self.reseed(sync_random_seed() if seed is None else seed)

    def reseed(self, seed: int) -> None:
        """Changes the order to that of another seed (a resumed run takes the seed of its checkpoint)."""
        self.seed = seed
        self._draws = DatasetDraws(self.probabilities, seed)
        self._passes = [ShuffledPasses(size, seed, i) for i, size in enumerate(self.sizes)]

    @abstractmethod
    def _place(self, n: int) -> tuple[int, int]:
        """Where this rank's n-th sample comes from: the dataset, and the place in its shuffled passes."""

    def skip(self, num_samples: int) -> None:
        """Lets the next iteration start after the samples that this rank has consumed, counted from the very start.

        Args:
            num_samples: Of this rank: steps times the batch size of the data loader.

        Raises:
            ValueError: Where it is negative.
        """
        if num_samples < 0:
            raise ValueError(f'cannot skip {num_samples} samples')
        self._start = num_samples

    def __iter__(self) -> Iterator[int]:
        for n in count(self._start):
            dataset, place = self._place(n)
            yield self._first[dataset] + self._passes[dataset][place]

    def __len__(self) -> int:
        """The number of samples in the datasets, as with mmengine's InfiniteSampler; the sequence itself is endless."""
        return sum(self.sizes)

    def set_epoch(self, epoch: int) -> None:
        """Does nothing: an endless sequence has no epochs."""


@DATA_SAMPLERS.register_module()
class MixedSampler(DatasetSampler):
    """Draws the dataset of every image on its own, so that one batch mixes datasets (LMSeg, section 3.1).

    Args:
        dataset: A :class:`MultiDataset`; any other dataset counts as one.
        ratio: See :func:`dataset_probabilities`.
        alpha: The exponent of the ratio ``'power'``.
        seed: By default one that all ranks agree on.
    """

    def __init__(self, dataset: Sized, ratio: Ratio = 'uniform', alpha: float = 0.5, seed: int | None = None) -> None:
        super().__init__(dataset, ratio, alpha, seed)

    def _place(self, n: int) -> tuple[int, int]:
        return self._draws[n * self.world_size + self.rank]


class StepSampler(DatasetSampler):
    """Draws datasets for whole steps, not for single images.

    Args:
        dataset: A :class:`MultiDataset`; any other dataset counts as one.
        batch_size: Samples per step and rank, as in the data loader.
        **kwargs: ``ratio``, ``alpha`` and ``seed`` of :class:`DatasetSampler`.
    """

    def __init__(self, dataset: Sized, batch_size: int, **kwargs: Any) -> None:
        super().__init__(dataset, batch_size=batch_size, **kwargs)
        self._per_step = batch_size


@DATA_SAMPLERS.register_module()
class SameDatasetSampler(StepSampler):
    """Draws one dataset per step, the same on all ranks: no padding, no rank waits for another's larger images."""

    def _place(self, n: int) -> tuple[int, int]:
        step, slot = divmod(n, self._per_step)
        dataset, draw = self._draws[step]
        return dataset, (draw * self._per_step + slot) * self.world_size + self.rank


@DATA_SAMPLERS.register_module()
class DatasetPerRankSampler(StepSampler):
    """Draws one dataset per step and rank (what LMSeg's published code does): no padding, mixed gradients."""

    def _place(self, n: int) -> tuple[int, int]:
        step, slot = divmod(n, self._per_step)
        dataset, draw = self._draws[step * self.world_size + self.rank]
        return dataset, draw * self._per_step + slot
