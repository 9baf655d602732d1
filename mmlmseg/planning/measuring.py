"""Measures a training in about a minute: some real steps of its own loop, some batches of each dataset, some scores.

Everything runs in one process and in the runner of the training, with its hooks, its loaders and its precision; only
checkpoints are not written. The order matters: memory of a process does not shrink again, so that small batches come
first.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Subset

from ..errors import OptionError
from ..runner_options import build_runner
from . import memory
from .figures import DatasetFigures, EvaluationFigures, LoopFigures, Measured, Pixels, Schedule
from .prediction import middle_mean, validation_count
from .samples import drawn_places, mean_pixels, named_sizes, parameters_of, pixels_of

WARM_UP = 3  # first steps are slower
STEPS, LEAST_STEPS, LOOP_SECONDS = 40, 4, 30.0
"""Iterations of the loop that are measured; fewer, but at least so many, where they take longer than that."""
REPEATS, PART_SECONDS = 3, 15.0
"""Batches of each dataset in training, and in evaluation; fewer, but at least one, where all take longer than that."""

_OF_WHOLE_LOADER = ('dataset', 'batch_sampler', 'num_batch_per_epoch')


class EnoughError(Exception):
    """Ends a training that was only to be measured."""


def measure(cfg: Config) -> Measured:
    """Measures the training of a config.

    Args:
        cfg: As :func:`mmlmseg.cli.load_config` gives it; changed in place.

    Raises:
        OptionError: Where it cannot be measured: a batch does not fit the accelerator, or its loader hides its batches.
        DataError: Where there is no data; all else that a training would stop at.
    """
    with tempfile.TemporaryDirectory() as folder:
        length = _prepare(cfg, folder)
        runner = build_runner(cfg)
        hook = _Measurement(runner)
        runner.register_hook(hook, priority='LOWEST')
        try:
            runner.train()
        except EnoughError:
            pass
        except torch.cuda.OutOfMemoryError:
            raise OptionError(
                f'a batch of {runner.train_dataloader.batch_size} does not fit the memory of {_device()} '
                f'({memory.available() / 2**30:.1f} GB); lower train_dataloader.batch_size'
            ) from None
        readings = {**hook.memory, hook.batch_size: memory.peak()}
        if hook.batch_size == 1:
            readings.update(hook.larger_batch(runner))
        evaluation = measure_evaluation(runner, cfg)
        return Measured(
            device=_device(),
            batch_size=hook.batch_size,
            workers=runner.train_dataloader.num_workers,
            parameters=parameters_of(runner.model),
            schedule=_schedule(length, runner, evaluates=evaluation is not None),
            datasets=tuple(hook.datasets),
            loop=hook.figures(),
            evaluation=evaluation,
            memory_how=memory.how(),
            memory=readings,
        )


def _prepare(cfg: Config, folder: str) -> Mapping[str, Any]:
    """Lets a training write nothing that stays, and last long enough; returns how long it was."""
    length = dict(cfg.train_cfg)
    for key in 'max_iters', 'max_epochs':
        if key in cfg.train_cfg:
            cfg.train_cfg[key] = max(cfg.train_cfg[key], 1000)  # the measurement ends it
    cfg.train_cfg.val_begin = 1001  # what is evaluated is measured apart
    cfg.work_dir, cfg.resume, cfg.log_level = folder, False, 'ERROR'  # changed lengths look odd
    cfg.setdefault('default_hooks', {})
    cfg.default_hooks.checkpoint = None
    cfg.visualizer = dict(type='Visualizer', vis_backends=[])
    return length


def _schedule(length: Mapping[str, Any], runner: Runner, evaluates: bool) -> Schedule:
    whole = length.get('max_iters') or length['max_epochs']
    validations = validation_count(
        whole, length.get('val_interval', 1), length.get('val_begin', 1), length.get('dynamic_intervals') or ()
    )
    steps = whole if 'max_iters' in length else whole * len(runner.train_dataloader)
    return Schedule(steps, validations if evaluates else 0)


class _Measurement(Hook):
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
        start = _now()
        runner.model.train_step(data, optim_wrapper=runner.optim_wrapper)
        return _now() - start

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
        now = _now()
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


def measure_evaluation(runner: Runner, cfg: Config) -> EvaluationFigures | None:
    """Times batches of each dataset of the validation, by its own loader; None where nothing is evaluated."""
    if (loop := runner.val_loop) is None:
        return None
    whole: DataLoader = loop.dataloader
    batch_size = whole.batch_size
    if batch_size is None:
        raise OptionError('val_dataloader draws its batches itself (batch_sampler); give it a batch_size to plan')
    sizes = {name: size for name, size in named_sizes(whole.dataset).items() if size}
    order = list(_rounds(sizes, batch_size))
    settings = {key: value for key, value in cfg.val_dataloader.items() if key not in _OF_WHOLE_LOADER}
    settings['sampler'] = dict(type='DefaultSampler', shuffle=False, round_up=False)
    part = Subset(whole.dataset, [place for _, places in order for place in places])
    loader = Runner.build_dataloader({**settings, 'dataset': part})
    times: dict[str, list[float]] = {name: [] for name in sizes}
    runner.call_hook('before_val')
    runner.call_hook('before_val_epoch')
    runner.model.eval()
    memory.start_peak()
    started = last = time.perf_counter()
    for number, (batch, (name, _)) in enumerate(zip(loader, order, strict=True)):
        loop.run_iter(number, batch)
        now = _now()
        if number > 0:  # the first one starts the processes that load
            times[name].append(now - last)
        last = now
        if number >= len(sizes) and now - started > PART_SECONDS:
            break
    seconds = {name: middle_mean(own) for name, own in times.items()}
    return EvaluationFigures(batch_size, sizes, seconds, memory.peak())


def _rounds(sizes: Mapping[str, int], batch_size: int) -> Iterator[tuple[str, list[int]]]:
    """Batches of single datasets, in turn, spread over each of them; before them one that warms up."""
    counts = [*sizes.values()]
    places = [cycle(map(int, drawn_places(counts, which, size))) for which, size in enumerate(counts)]
    turns = [0, *(which for _ in range(REPEATS) for which in range(len(counts)))]
    for which in turns:
        yield [*sizes][which], [next(places[which]) for _ in range(batch_size)]


def _now() -> float:
    """The time when the device has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu'
