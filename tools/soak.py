"""Kill a small training again and again, at random moments, and compare what comes out with an undisturbed one.

A kill (SIGKILL, workers included) comes at any moment, while a checkpoint is being written, or during an evaluation.
After each the training goes on with --resume. Nothing may be lost: the newest whole checkpoint never falls back, and
the weights at the end are those of the undisturbed training, to the bit.

Example:
    python tools/soak.py --kills 50
"""

from __future__ import annotations

import argparse


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=50, help='how often the training is killed')
    parser.add_argument('--iterations', type=int, default=120, help='length of the training')
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from mmlmseg.checkpoint_files import newest_checkpoint, read_checkpoint
from mmlmseg.lab.scenes import write_folder_dataset

ROOT = Path(__file__).resolve().parents[1]
CONFIG = """
_base_ = [{base!r} + name for name in ('models/lmseg_r18.py', 'schedules/adamw_poly_4500.py', 'default_runtime.py')]
folders = {folders!r}
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
train = [
    *load,
    dict(type='RandomCrop', crop_size=(32, 32)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
part = dict(type='mmlmseg.FolderDataset')
train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='mmlmseg.PerImageSampler'),
    dataset=dict(
        type='mmlmseg.MultiDataset',
        datasets=[dict(part, data_root=root, split='train', pipeline=train) for root in folders],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmlmseg.MultiDataset',
        datasets=[
            dict(part, data_root=root, split='val', pipeline=[*load, dict(type='PackSegInputs')]) for root in folders
        ],
    ),
)
test_cfg = None
val_evaluator = dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIoU'))
model = dict(
    backbone=dict(base_channels=8),
    decode_head=dict(
        in_channels=[8, 16, 32, 64],
        channels=64,
        queries=dict(num_queries=6),
        decoder=dict(num_layers=1, num_heads=2, ffn_channels=32),
    ),
)
max_iters = {iterations}
param_scheduler = dict(end=max_iters)
train_cfg = dict(max_iters=max_iters, val_interval=25)
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1), logger=dict(interval=1))
"""


def start(config: Path, work_dir: Path, log: Path) -> subprocess.Popen:
    """Starts the training, or goes on with it, in a process group of its own."""
    command = [sys.executable, '-W', 'ignore', ROOT / 'tools/train.py', config, '--work-dir', work_dir, '--resume']
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    with log.open('w') as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)


def draw_moment(moments: random.Random, work_dir: Path, log: Path, length: float) -> tuple[str, Callable[[], bool]]:
    """A kind of moment at which to kill, and whether one has come; a whole training takes ``length`` seconds."""
    kind = moments.choice(['any moment', 'writing a checkpoint', 'evaluation'])
    at = time.monotonic() + moments.uniform(0, length)
    if kind == 'any moment':
        return kind, lambda: time.monotonic() > at
    if kind == 'evaluation':
        return kind, lambda: 'Iter(val)' in log.read_text() and moments.random() < 0.3
    return kind, lambda: any(work_dir.glob('.*.part')) and moments.random() < 0.3


def wait_until(process: subprocess.Popen, come: Callable[[], bool]) -> bool:
    """Waits for a moment; False where the process ends before it."""
    while process.poll() is None:
        if come():
            return True
        time.sleep(0.001)
    return False


def weights(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint."""
    return read_checkpoint(file)['state_dict']


def iteration(work_dir: Path) -> int:
    """Where the newest whole checkpoint stands."""
    newest = newest_checkpoint(work_dir) if work_dir.is_dir() else None
    return 0 if newest is None else int(newest.stem.rpartition('_')[2])


def soak(folder: Path, kills: int, iterations: int, moments: random.Random) -> dict[str, object]:
    """Trains undisturbed, then with kills until there are as many, and compares."""
    roots = [
        write_folder_dataset(folder / space, space, train=range(6), val=range(6, 8), size=(40, 48))
        for space in ('street', 'facade')
    ]
    config, log = folder / 'config.py', folder / 'log.txt'
    base = str(ROOT / 'configs' / '_base_') + '/'
    config.write_text(CONFIG.format(base=base, folders=[str(root) for root in roots], iterations=iterations))
    began = time.monotonic()
    if start(config, folder / 'whole', log).wait():
        raise RuntimeError(f'the undisturbed training failed:\n{log.read_text()[-2000:]}')
    whole, length = weights(folder / 'whole' / f'iter_{iterations}.pth'), time.monotonic() - began
    came: Counter[str] = Counter()
    lost = rounds = 0
    equal = True
    while came.total() < kills or rounds == 0:
        rounds += 1
        work_dir, reached, ended = folder / f'killed_{rounds}', 0, False
        while not ended:
            process = start(config, work_dir, log)
            kind, moment = draw_moment(moments, work_dir, log, length)
            if came.total() < kills and wait_until(process, moment):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                came[kind] += 1
                before, reached = reached, iteration(work_dir)
                lost += reached < before
                print(f'kill {came.total()}: {kind}, goes on from iteration {reached}', flush=True)
            else:
                if process.wait():
                    raise RuntimeError(f'a resumed training failed:\n{log.read_text()[-2000:]}')
                ended = True
        ours = weights(work_dir / f'iter_{iterations}.pth')
        equal &= ours.keys() == whole.keys() and all(ours[key].equal(value) for key, value in whole.items())
        print(f'training {rounds} ended, weights equal so far: {equal}', flush=True)
    return dict(kills=came.total(), moments=came, trainings=rounds, lost=lost, equal=equal)


def main() -> int:
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(Path(folder), args.kills, args.iterations, random.Random(args.seed))
    print(json.dumps(found))
    return 0 if found['equal'] and not found['lost'] else 1


if __name__ == '__main__':
    sys.exit(main())
