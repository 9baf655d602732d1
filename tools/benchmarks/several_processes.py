"""Time training steps of two processes with a core each, beside those of one process with one core.

The scripts as a user calls them, ``tools/train.py`` and ``tools/dist_train.sh``, on lmseg_r18_clash5.py, by default
with drawn scenes for its datasets; loading, losses and optimiser are all in. Each process takes batches of ``--batch``,
so that two see twice the images in a step; ``times_as_many`` is how many times the images per second two see. ``apart``
are two that do not talk to each other: what the machine gives two processes, before gradients are averaged.

Example:
    python tools/benchmarks/several_processes.py --steps 30
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from mmlmseg.lab import speed
from mmlmseg.lab.scenes import write_folder_dataset

TOOLS = Path(__file__).resolve().parents[1]
CONFIG = TOOLS.parent / 'configs/lmseg/lmseg_r18_clash5.py'
SPACES = dict(camvid11='street', labelmefacade='facade', msrc_v2='objects', paris_artdeco='coarse', ccp='wardrobe')
PROCESSES = dict(two=2, apart=2, one=1)


def options(args: argparse.Namespace) -> list[str]:
    """What is changed about the config: no validation, and each step logged by itself."""
    absent = [f'{part}=None' for part in ('val_dataloader', 'val_cfg', 'val_evaluator')]
    log = ['log_processor.window_size=1', 'default_hooks.logger.interval=1', 'default_hooks.checkpoint.interval=100000']
    loader = [f'train_dataloader.batch_size={args.batch}', f'train_dataloader.num_workers={args.workers}']
    return [*absent, *log, *loader, f'train_cfg.max_iters={args.steps}', *args.cfg_options]


def start(args: argparse.Namespace, work_dir: Path, cores: list[int]) -> subprocess.Popen[bytes]:
    """A training with a process on each of some cores; its loaders share them."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    alone = len(cores) == 1
    script = (
        [sys.executable, TOOLS / 'train.py', CONFIG] if alone else ['bash', TOOLS / 'dist_train.sh', CONFIG, len(cores)]
    )
    environment = dict(MMLMSEG_DATA=str(args.data), PYTHON=sys.executable, PORT=str(port), OMP_NUM_THREADS='1')
    return subprocess.Popen(
        [
            'taskset',
            '-c',
            ','.join(map(str, cores)),
            *map(str, script),
            '--work-dir',
            work_dir,
            '--cfg-options',
            *options(args),
        ],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def play(args: argparse.Namespace) -> None:
    """Trains one side and prints its figures."""
    first, second = sorted(os.sched_getaffinity(0))[:2]
    cores = dict(one=[[first]], two=[[first, second]], apart=[[first], [second]])[args.side]
    steps = []
    with tempfile.TemporaryDirectory() as root:
        started = [start(args, Path(root, str(i)), own) for i, own in enumerate(cores)]
        if any(process.wait() for process in started):
            sys.exit(f'a training of side {args.side} failed')
        for log in Path(root).glob('*/*/vis_data/scalars.json'):
            steps += [json.loads(line) for line in log.read_text().splitlines()][args.warmup :]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = {
        name: statistics.median(step[key] for step in steps)
        for name, key in (('wall', 'time'), ('loading', 'data_time'))
    }
    figures.update(cpu=(used.ru_utime + used.ru_stime) / args.steps, peak_mb=used.ru_maxrss / 1024)
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--steps', type=int, default=20)
    parser.add_argument('--warmup', type=int, default=5, help='steps that do not count')
    parser.add_argument('--batch', type=int, default=8, help='images of a process and step')
    parser.add_argument('--workers', type=int, default=1, help='loaders of a process')
    parser.add_argument('--data', type=Path, help='the folders of the config; by default they are drawn')
    parser.add_argument('--cfg-options', nargs='*', default=[], help='as of tools/train.py')
    speed.add_arguments(parser, rounds=1, repeats=1)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as drawn:
        if args.data is None:
            for name, space in SPACES.items():
                write_folder_dataset(Path(drawn, name), space, range(12), range(12, 13), size=(240, 320))
        own = ['--steps', args.steps, '--warmup', args.warmup, '--batch', args.batch, '--workers', args.workers]
        own += ['--data', args.data or drawn, '--cfg-options', *args.cfg_options]
        figures = speed.in_turn(dict.fromkeys(PROCESSES, own), args.rounds)
    for name, number in PROCESSES.items():
        figures[name]['images_per_s'] = number * args.batch / figures[name]['wall']
    sizes = dict(config=CONFIG.stem, batch=args.batch, steps=args.steps, workers=args.workers, options=args.cfg_options)
    for name in ('two', 'apart'):
        sizes['times_as_many'] = round(figures[name]['images_per_s'] / figures['one']['images_per_s'], 3)
        goal = 'times_as_many at least 1.8' if name == 'two' else ''
        speed.report('several processes', figures, name, 'one', goal, sizes, before, args.out)


if __name__ == '__main__':
    main()
