"""Stopping a training whose numbers are none any more, with what it saw last."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from .checkpoint_hook import write_whole


class DivergenceHook(Hook):
    """Stops at a loss that is NaN or infinite, before a checkpoint can hold what came of it.

    :class:`mmlmseg.engine.ResumableTrainLoop` brings it. With float16 an infinite loss is part of how the scale of
    losses is found, so it is let pass there.
    """

    priority = 'ABOVE_NORMAL'

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Raises a FloatingPointError."""
        if not outputs or 'loss' not in outputs or hasattr(runner.optim_wrapper, 'loss_scaler'):
            return
        loss = float(torch.as_tensor(outputs['loss']).detach())
        if not math.isfinite(loss):
            raise FloatingPointError(f'the loss is {loss}.')


def save_batch(runner: Runner, data_batch: Any) -> Path:
    """Writes which samples the step of a run saw, as JSON beside its checkpoints, and returns the file.

    Steps and samples draw their random numbers by seed and place, so resuming from a checkpoint before the step leads
    to the same step again.
    """
    samples = [
        {key: sample.metainfo.get(key) for key in ('dataset', 'label_spaces', 'img_path', 'seg_map_path', 'flip')}
        for sample in data_batch['data_samples']
    ]
    rank = get_rank()
    file = Path(runner.work_dir, f'diverged_iter_{runner.iter}' + (f'_rank_{rank}' if rank else '') + '.json')
    told = dict(iteration=runner.iter, seed=runner.seed, rank=rank, samples=samples)
    write_whole(file, json.dumps(told, indent=2, default=str).encode())
    return file
