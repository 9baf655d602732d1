"""Steps of a training: some with batches of single datasets, then those of its own loop.

Memory of a process does not shrink again, so that small batches come first.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ..errors import OptionError
from . import device, memory
from .figures import DatasetFigures, LoopFigures, Pixels
from .prediction import middle_mean
from .samples import drawn_places, mean_pixels, named_sizes, pixels_of

WARM_UP = 3  # first steps are slower
STEPS, LEAST_STEPS, LOOP_SECONDS = 40, 4, 30.0
"""Iterations of the loop that are measured; fewer, but at least so many, where they take longer than that."""
REPEATS, PART_SECONDS = 3, 15.0
"""Batches of each dataset; fewer, but at least one, where all take longer than that."""


class EnoughError(Exception):
    """Ends a training that was only to be measured."""


class StepsHook(Hook):
    """Measures batches of each dataset before the first iteration of a training, then the iterations; then ends it."""

    def __init__(self, runner: Runner) -> None:
        self.loader: DataLoader = runner.train_dataloader
        if self.loader.batch_size is None or not hasattr(self.loader.dataset, '__getitem__'):
            raise OptionError(
                'train_dataloader draws its batches itself (batch_sampler), or its dataset has no places: nothing can '
                'be planned; give it a batch_size and a sampler'
            )
        self.batch_size: int = self.loader.batch_size
        self.datasets: list[DatasetFigures] = []
        self.memory: dict[int, int] = {}
        self._batches: list[list[Any]] = []  # samples of each dataset that is drawn
        self._waits: list[float] = []
        self._computes: list[float] = []
        self._started = self._last = self._ready = 0.0
        queue = self.loader.num_workers * (self.loader.prefetch_factor or 2)
        self._skipped = -WARM_UP - queue  # batches that were loaded in advance are waited for by nobody

    def before_train(self, runner: Runner) -> None:
        """Loads samples of each dataset, and takes steps with them, first with half of a batch."""
        runner.model.train()
        names, sampler = named_sizes(self.loader.dataset), self.loader.sampler
        sizes = [*names.values()]
        shares = getattr(sampler, 'probabilities', None) or [size / sum(sizes) for size in sizes]
        drawn = [which for which, share in enumerate(shares) if share > 0]
        loaded = {which: self._load(sizes, which) for which in drawn}
        self._batches = [samples for samples, _, _ in loaded.values()]
        memory.start_peak()
        if self.batch_size > 1:
            half = self.batch_size // 2
            self._steps(runner, half, repeats=1)
            self.memory[half] = memory.peak()
        step_seconds = self._steps(runner, self.batch_size, REPEATS)
        factors = getattr(sampler, 'repeat_factors', [None] * len(sizes))
        for which, seconds in zip(drawn, step_seconds, strict=True):
            _, load_seconds, pixels = loaded[which]
            repeated = factors[which]
            self.datasets.append(
                DatasetFigures(
                    name=[*names][which],
                    images=sizes[which],
                    pass_length=sizes[which] if repeated is None else float(repeated.sum()),
                    probability=shares[which],
                    load_seconds=load_seconds,
                    pixels=pixels,
                    step_seconds=seconds,
                )
            )
        self._started = self._last = time.perf_counter()

    def _load(self, sizes: Sequence[int], which: int) -> tuple[list[Any], float, Pixels]:
        """Samples of a dataset, the time of one, and how much of one is learned from."""
        samples, times = [], []
        for place in drawn_places(sizes, which, max(self.batch_size, 8)):
            start = time.perf_counter()
            samples.append(self.loader.dataset[place])
            times.append(time.perf_counter() - start)
        return samples[: self.batch_size], middle_mean(times[1:]), mean_pixels([pixels_of(one) for one in samples])

    def _steps(self, runner: Runner, batch_size: int, repeats: int) -> list[float]:
        """Steps with some of the samples of each dataset; returns the time of a step of each."""
        times: list[list[float]] = [[] for _ in self._batches]
        self._step(runner, self._batches[0][:batch_size])  # warms up
        started = time.perf_counter()
        for repeat in range(repeats):
            for own, samples in zip(times, self._batches, strict=True):
                if repeat == 0 or time.perf_counter() - started < PART_SECONDS:
                    own.append(self._step(runner, samples[:batch_size]))
        return [middle_mean(own) for own in times]

    def _step(self, runner: Runner, samples: Sequence[Any]) -> float:
        data = self.loader.collate_fn(list(samples))
        start = device.now()
        runner.model.train_step(data, optim_wrapper=runner.optim_wrapper)
        return device.now() - start

    def larger_batch(self, runner: Runner) -> dict[int, int]:
        """What two images take, where a batch is one; nothing where they do not fit."""
        pairs = [[*samples, *samples] for samples in self._batches]
        memory.start_peak()
        try:
            for pair in pairs:
                self._step(runner, pair)
        except torch.cuda.OutOfMemoryError:
            return {}
        return {2: memory.peak()}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """The batch is there."""
        self._ready = time.perf_counter()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """The step is done."""
        now = device.now()
        wait, compute = self._ready - self._last, now - self._ready
        self._last = now
        self._skipped += 1
        elapsed = now - self._started
        if self._skipped <= 0 and (elapsed < LOOP_SECONDS / 2 or batch_idx < WARM_UP):
            return
        self._waits.append(wait)
        self._computes.append(compute)
        count = len(self._computes)
        if count >= STEPS or (count >= LEAST_STEPS and elapsed > LOOP_SECONDS):
            raise EnoughError

    def figures(self) -> LoopFigures:
        """What the iterations took."""
        if not self._computes:
            raise OptionError(f'the training ended before {WARM_UP + 1} iterations were done: nothing can be measured')
        # Samplers that know the batch size draw datasets for whole steps.
        mixed = len(self.datasets) == 1 or getattr(self.loader.sampler, 'batch_size', None) is None
        wait = sum(self._waits) / len(self._waits)
        return LoopFigures(len(self._computes), middle_mean(self._computes), wait, mixed)
