"""Time whole iterations of a small training (loader, step, hooks) beside those of another checkout of this repository.

``wall`` is the mean of the iterations after the first ten, as the training logs it, ``data_time`` the share in which
the step waits for its batch. ``cpu`` is of the whole run, its start included, over the number of its iterations.

Example:
    git worktree add ../base v1.0.0
    MMLMSEG_DATA=data python tools/benchmarks/small_run.py --base ../base
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from mmlmseg.lab import speed

ROOT = Path(__file__).resolve().parents[2]
WARMUP = INTERVAL = 10  # iterations


def train(checkout: Path, config: str, iterations: int) -> speed.Figures:
    """Trains with a checkout's own script and package, and reads what it logs."""
    options = [
        f'train_cfg.max_iters={iterations}',
        f'train_cfg.val_interval={iterations + 1}',
        f'default_hooks.checkpoint.interval={iterations + 1}',
        f'default_hooks.logger.interval={INTERVAL}',
    ]
    with tempfile.TemporaryDirectory() as work_dir:
        command = [sys.executable, 'tools/train.py', config, '--work-dir', work_dir, '--cfg-options', *options]
        environment = {**os.environ, 'PYTHONPATH': str(checkout)}
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        (log,) = Path(work_dir).glob('*/vis_data/scalars.json')
        lines = [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()]
    measured = [line for line in lines if 'loss' in line and line['step'] > WARMUP]  # not of an evaluation
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return dict(
        wall=statistics.mean(line['time'] for line in measured),
        cpu=(used.ru_utime + used.ru_stime) / iterations,
        peak_mb=used.ru_maxrss / 1024,
        data_time=statistics.mean(line['data_time'] for line in measured),
        loss=measured[-1]['loss'],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--base', type=Path, required=True, help='checkout to compare with')
    parser.add_argument('--config', default='configs/lmseg/lmseg_r18_clash5.py', help='in both checkouts')
    parser.add_argument('--iterations', type=int, default=40, help='of a run; the first ten are not counted')
    speed.add_arguments(parser, rounds=2, repeats=1)
    args = parser.parse_args()
    if args.side:
        checkout = ROOT if args.side == 'ours' else args.base.resolve()
        print(json.dumps(train(checkout, args.config, args.iterations)))
        return
    before = os.getloadavg()[0]
    own = ['--base', args.base, '--config', args.config, '--iterations', args.iterations]
    figures = speed.in_turn(dict(ours=own, base=own), args.rounds)
    sizes = dict(config=args.config, iterations=args.iterations, cores=os.cpu_count())
    speed.report('iteration of a small run', figures, 'ours', 'base', '>= 2x', sizes, before, args.out)


if __name__ == '__main__':
    main()
