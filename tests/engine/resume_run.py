"""Trains a toy model on folder datasets and records what each step saw; may kill itself. A script, not a test."""

from __future__ import annotations

import argparse
import json
import os
import signal
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import FlexibleRunner, Runner

import mmlmseg  # noqa: F401
from mmlmseg.models.data_preprocessor import GroupingDataPreProcessor


class ToyModel(BaseModel):
    """One weight, so that a step takes no time."""

    def __init__(self) -> None:
        super().__init__(GroupingDataPreProcessor([127.5] * 3, [64.0] * 3))
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs: list[torch.Tensor], data_samples: Any = None, mode: str = 'tensor') -> Any:
        return dict(loss=sum((self.weight * group).square().mean() for group in inputs))


class RecordHook(Hook):
    """Writes one line per step: its number, learning rate and images. Kills the process before a given step."""

    priority = 'VERY_LOW'

    def __init__(self, path: Path, kill_at: int | None = None) -> None:
        self.path = path
        self.kill_at = kill_at

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        seen = [[sample.dataset, Path(sample.img_path).name] for sample in data_batch['data_samples']]
        rate = runner.optim_wrapper.get_lr()['lr'][0]
        with self.path.open('a') as file:
            file.write(json.dumps(dict(step=runner.iter, rate=rate, seen=seen)) + '\n')


def build_runner(
    work_dir: Path,
    folders: list[str],
    max_iters: int,
    workers: int = 0,
    seed: int | None = None,
    kill_at: int | None = None,
    resume: bool | str = False,
    sampler: dict[str, Any] | None = None,
    batch_size: int = 3,
    optimizer: dict[str, Any] | None = None,
    scheduler: dict[str, Any] | None = None,
    flexible: bool = False,
) -> Runner:
    """A runner as a config would make it; records to ``work_dir/record.jsonl``, saves every 3 steps."""
    work_dir.mkdir(parents=True, exist_ok=True)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='mmseg.LoadAnnotations'),
        dict(type='mmseg.RandomFlip', prob=0.5),
        dict(type='mmseg.PackSegInputs'),
    ]
    datasets = [dict(type='mmlmseg.FolderDataset', data_root=folder, pipeline=pipeline) for folder in folders]
    own = dict(type='PolyLR', power=0.9, end=max_iters, by_epoch=False) if scheduler is None else scheduler
    return (FlexibleRunner if flexible else Runner)(
        model=ToyModel(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            sampler=sampler or dict(type='mmlmseg.PerImageSampler'),
            dataset=dict(type='mmlmseg.MultiDataset', datasets=datasets),
        ),
        train_cfg=dict(type='mmlmseg.ResumableTrainLoop', max_iters=max_iters),
        optim_wrapper=dict(type='OptimWrapper', optimizer=optimizer or dict(type='AdamW', lr=0.01)),
        param_scheduler=own or None,
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=3)),
        custom_hooks=[RecordHook(work_dir / 'record.jsonl', kill_at)],
        randomness=dict(seed=seed),
        resume=bool(resume),
        load_from=resume if isinstance(resume, str) else None,
        default_scope='mmseg',
        experiment_name=f'{work_dir.name}-{resume}',
        log_level='WARNING',
    )


def read_record(work_dir: Path) -> list[dict[str, Any]]:
    """What each step saw."""
    return [json.loads(line) for line in (work_dir / 'record.jsonl').read_text().splitlines()]


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('work_dir', type=Path)
    parser.add_argument('folders', nargs='+')
    parser.add_argument('--max-iters', type=int, default=12)
    parser.add_argument('--workers', type=int, default=0)
    parser.add_argument('--seed', type=int)
    parser.add_argument('--kill-at', type=int)
    parser.add_argument('--resume', action='store_true')
    build_runner(**vars(parser.parse_args())).train()
