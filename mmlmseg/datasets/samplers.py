"""Endless samplers over several datasets: how often each is drawn, and which samples meet in a batch.

Their order is a pure function of seed, rank, world size and samples consumed: nothing is lost by a restart, and
skipping loads nothing. Each index says which draw it is, so that random transforms are a function of these as well. A
step's global batch does not depend on how many processes share it (one dataset per rank is the exception by its
nature): rank r of W takes every W-th sample, so that two processes of batch b see together what one process of batch 2b
sees.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence, Sized
from itertools import count
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.logging import print_log
from torch.utils.data import Sampler

from ..errors import DataError, OptionError, did_you_mean
from ..randomness import SAMPLE
from ..registry import DATA_SAMPLERS
from .repeat import Repeat, repeat_factors, repeat_thresholds
from .streams import DatasetDraws, Draw, ShuffledPasses

Ratio = str | Sequence[float] | Mapping[str, float]


def dataset_probabilities(
    ratio: Ratio, sizes: Sequence[int], names: Sequence[str], alpha: float = 0.5
) -> tuple[float, ...]:
    """Turns a ratio, as a config writes it, into a probability for each dataset.

    Args:
        ratio: ``'uniform'``; ``'size'`` (every image equally often); ``'power'`` (size to the power of ``alpha``, in
            between); or a weight per dataset, as a list in their order or by name.
        sizes: Samples of each dataset.
        names: Of the datasets.
        alpha: The exponent of ``'power'``.

    Example:
        >>> dataset_probabilities('uniform', [10, 30], ['a', 'b']), dataset_probabilities('size', [10, 30], ['a', 'b'])
        ((0.5, 0.5), (0.25, 0.75))
    """
    exponents = {'uniform': 0.0, 'size': 1.0, 'power': alpha}
    if isinstance(ratio, str):
        if ratio not in exponents:
            raise DataError(
                f'unknown ratio {ratio!r}; write uniform, size, power or a weight per dataset'
                f'.{did_you_mean(ratio, exponents)}'
            )
        weights = [float(size) ** exponents[ratio] for size in sizes]
    elif isinstance(ratio, Mapping):
        for name in ratio:
            if name not in names:
                known = ', '.join(names)
                raise DataError(f'ratio names the unknown dataset {name!r}; known: {known}.{did_you_mean(name, names)}')
        if missing := [name for name in names if name not in ratio]:
            raise DataError(f'ratio has no weight for {", ".join(missing)}; give every dataset one (0 leaves it out)')
        weights = _numbers([ratio[name] for name in names])
    else:
        weights = _numbers(ratio)
        if len(weights) != len(sizes):
            raise DataError(f'ratio has {len(weights)} weights for {len(sizes)} datasets ({", ".join(names)})')
    total = sum(weights)
    if not all(math.isfinite(w) and w >= 0 for w in weights) or total <= 0:
        raise DataError(f'ratio {weights}: weights must be finite and not negative, and one of them above 0')
    return tuple(weight / total for weight in weights)


def _numbers(weights: Sequence[Any]) -> list[float]:
    if not all(isinstance(weight, (int, float)) for weight in weights):
        raise DataError(f'ratio = {list(weights)}: write a number for each dataset, or numbers by name')
    return [float(weight) for weight in weights]


class DatasetSampler(Sampler):
    """Draws datasets at random by a ratio, and within each takes samples in shuffled passes without replacement.

    Args:
        dataset: A :class:`MultiDataset`; any other dataset counts as one.
        ratio: How often each dataset is drawn, see :func:`dataset_probabilities`.
        alpha: The exponent of the ratio ``'power'``.
        seed: By default one that all ranks agree on.
        repeat: Draws images with rare classes more often, see :func:`repeat_factors`: the share of a dataset's images
            below which a class is rare, for all datasets or by name. It changes what is drawn within a dataset;
            ``ratio`` goes on to say how often each dataset is drawn.

    Raises:
        DataError: Where the ratio is unusable.
        OptionError: Where ``repeat`` is, or the dataset is no :class:`MultiDataset`, whose classes could be counted.

    Examples:
        >>> sampler = dict(type='mmlmseg.PerImageSampler', ratio='size')  # every image equally often
        >>> sampler = dict(type='mmlmseg.PerImageSampler', ratio=dict(ade20k=2, cityscapes=1))
        >>> sampler = dict(type='mmlmseg.SameDatasetSampler', batch_size=4, ratio='power', alpha=0.5)
        >>> sampler = dict(type='mmlmseg.PerImageSampler', repeat=dict(ade20k=0.01))
    """

    batch_size: int | None = None

    def __init__(
        self,
        dataset: Sized,
        ratio: Ratio = 'uniform',
        alpha: float = 0.5,
        seed: int | None = None,
        repeat: Repeat | None = None,
    ) -> None:
        self.dataset: Any = dataset
        self.rank, self.world_size = get_dist_info()
        total = len(dataset)  # before its sizes are known, a MultiDataset has to read its lists
        self.sizes: list[int] = list(getattr(dataset, 'sizes', [total]))
        names = getattr(dataset, 'names', [str(i) for i in range(len(self.sizes))])
        self.probabilities = dataset_probabilities(ratio, self.sizes, names, alpha)
        self.repeat_factors = self._repeat_factors(repeat_thresholds(repeat, names), names)
        self._first = [sum(self.sizes[:i]) for i in range(len(self.sizes))]
        self._start = 0
        self.reseed(sync_random_seed() if seed is None else seed)

    def reseed(self, seed: int) -> None:
        """Changes the order to that of another seed (a resumed run takes the seed of its checkpoint)."""
        self.seed = seed
        self._draws = DatasetDraws(self.probabilities, seed)
        self._passes = [
            ShuffledPasses(size, seed, i, factors)
            for i, (size, factors) in enumerate(zip(self.sizes, self.repeat_factors, strict=True))
        ]

    def _repeat_factors(self, thresholds: Sequence[float], names: Sequence[str]) -> list[np.ndarray | None]:
        """The repeat factors of the images of each dataset; None where none is repeated."""
        if not any(thresholds):
            return [None] * len(thresholds)
        if 'presence' not in dir(self.dataset):  # hasattr would count
            raise OptionError(
                'repeat counts the classes of a mmlmseg.MultiDataset, and the dataset is a '
                f"{type(self.dataset).__name__}: put it into one, dict(type='mmlmseg.MultiDataset', datasets=[...])"
            )
        found = [
            repeat_factors(presence, threshold) if threshold else None
            for presence, threshold in zip(self.dataset.presence, thresholds, strict=True)
        ]
        said = [
            f'{(factors > 1).sum()} of {len(factors)} images of {name} (up to {factors.max():.3g} times)'
            for name, factors in zip(names, found, strict=True)
            if factors is not None and (factors > 1).any()
        ]
        print_log(f'repeat: drawn more often are {", ".join(said) or "no images: no class is so rare"}', 'current')
        return found

    @abstractmethod
    def _place(self, n: int) -> tuple[int, int]:
        """Where this rank's n-th sample comes from: the dataset, and the place in its shuffled passes."""

    def skip(self, num_samples: int) -> None:
        """Lets the next iteration start behind so many samples of this rank, counted from the very start."""
        if num_samples < 0:
            raise ValueError(f'cannot skip {num_samples} samples')
        self._start = num_samples

    def __iter__(self) -> Iterator[int]:
        for n in count(self._start):
            dataset, place = self._place(n)
            yield Draw(self._first[dataset] + self._passes[dataset][place], (self.seed, SAMPLE, dataset, place))

    def __len__(self) -> int:
        """The number of samples in the datasets, as with mmengine's InfiniteSampler; the sequence itself is endless."""
        return sum(self.sizes)


@DATA_SAMPLERS.register_module()
class PerImageSampler(DatasetSampler):
    """Draws the dataset of every image on its own, so that datasets mix in a batch (LMSeg, section 3.1)."""

    def _place(self, n: int) -> tuple[int, int]:
        return self._draws[n * self.world_size + self.rank]


class StepSampler(DatasetSampler):
    """Draws datasets for whole steps, not for single images.

    Args:
        batch_size: Samples per step and rank, as in the data loader. All else as of :class:`DatasetSampler`.
    """

    def __init__(self, dataset: Sized, batch_size: int, **kwargs: Any) -> None:
        if batch_size < 1:
            raise DataError(f'{type(self).__name__}: batch_size is {batch_size}; it must be at least 1')
        super().__init__(dataset, **kwargs)
        self.batch_size: int = batch_size


@DATA_SAMPLERS.register_module()
class SameDatasetSampler(StepSampler):
    """Draws one dataset per step, the same on all ranks: no padding, no rank waits for another's larger images."""

    def _place(self, n: int) -> tuple[int, int]:
        step, slot = divmod(n, self.batch_size)
        dataset, draw = self._draws[step]
        return dataset, (draw * self.batch_size + slot) * self.world_size + self.rank


@DATA_SAMPLERS.register_module()
class DatasetPerRankSampler(StepSampler):
    """Draws one dataset per step and rank (what LMSeg's published code does): no padding, mixed gradients."""

    def _place(self, n: int) -> tuple[int, int]:
        step, slot = divmod(n, self.batch_size)
        dataset, draw = self._draws[step * self.world_size + self.rank]
        return dataset, draw * self.batch_size + slot
