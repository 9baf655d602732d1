"""Measures a training in about a minute: some real steps of its own loop, some batches of each dataset, some scores.

Everything runs in one process and in the runner of the training, with its hooks, its loaders and its precision; only
checkpoints are not written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from ..errors import OptionError
from ..runner_options import build_runner
from . import device, memory
from .evaluating import measure_evaluation
from .figures import Measured, Schedule
from .prediction import validation_count
from .samples import parameters_of
from .steps import EnoughError, StepsHook


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
        hook = StepsHook(runner)
        runner.register_hook(hook, priority='LOWEST')
        try:
            runner.train()
        except EnoughError:
            pass
        except torch.cuda.OutOfMemoryError:
            raise OptionError(
                f'a batch of {runner.train_dataloader.batch_size} does not fit the memory of {device.name()} '
                f'({memory.available() / 2**30:.1f} GB); lower train_dataloader.batch_size'
            ) from None
        readings = {**hook.memory, hook.batch_size: memory.peak()}
        if hook.batch_size == 1:
            readings.update(hook.larger_batch(runner))
        evaluation = measure_evaluation(runner, cfg)
        return Measured(
            device=device.name(),
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
