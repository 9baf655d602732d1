"""Plan trainings, then do them: how far predictions are from what came of it. The goal is 15 %.

Each config is planned and then trained with the same overrides, by the scripts that users call, one after the other; on
a machine that does nothing else. A JSON line for each tells the time of all iterations and of the evaluation, predicted
and measured.

Example:
    MMLMSEG_DATA=data python tools/benchmarks/planner.py
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GOAL = 0.15
CONFIGS = ('lmseg/lmseg_r18_clash5.py', 'resi/resi_r18_clash5.py', 'encoder_only/encoder-only_vit-s_clash5.py')
LOGGED = 10  # iterations of a line of the log


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='*', default=[str(ROOT / 'configs' / name) for name in CONFIGS])
    parser.add_argument('--iterations', type=int, default=60, help='of a training, evaluated at its end')
    parser.add_argument('--val-images', type=int, default=24, help='of each dataset')
    parser.add_argument('--datasets', type=int, default=5, help='how many a config evaluates')
    parser.add_argument('--out', type=Path, help='add the JSON lines to this file as well')
    args = parser.parse_args()
    if args.iterations < 3 * LOGGED:
        parser.error(f'--iterations: at least {3 * LOGGED}, as the first ones are not counted')
    return args


def check(config: str, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Plans and trains a config; returns the line that is printed."""
    same = [config, '--iterations', str(args.iterations), '--cfg-options']
    same += [f'default_hooks.logger.interval={LOGGED}', f'train_cfg.val_interval={args.iterations}']
    same += [f'val_dataloader.dataset.datasets.{i}.indices={args.val_images}' for i in range(args.datasets)]
    before = os.getloadavg()[0]
    run('plan.py', *same, '--json', str(folder / 'plan.json'))  # planned first: it must not know the run
    run('train.py', *same, '--work-dir', str(folder / 'run'))
    plan = json.loads((folder / 'plan.json').read_text(encoding='utf-8'))
    (log,) = (folder / 'run').glob('*/vis_data/scalars.json')
    measured = seconds_of(log, args.iterations, plan['measured']['evaluation'])
    predicted = dict(
        training=plan['predicted']['train_seconds'],
        evaluation=plan['predicted']['evaluation_seconds'],
        all=plan['predicted']['total_seconds'],
    )
    off = {key: round(predicted[key] / measured[key] - 1, 3) for key in measured}
    return dict(
        config=Path(config).stem,
        goal=GOAL,
        reached=abs(off['all']) <= GOAL,
        off=off,
        predicted={key: round(value, 2) for key, value in predicted.items()},
        measured={key: round(value, 2) for key, value in measured.items()},
        device=plan['measured']['device'],
        load=[round(before, 2), round(os.getloadavg()[0], 2)],
    )


def run(script: str, *arguments: str) -> None:
    """Runs a script of ``tools/`` with this checkout's package.

    Raises:
        RuntimeError: Where it fails; with the end of what it printed.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))
    command = [sys.executable, str(ROOT / 'tools' / script), *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, 'PYTHONPATH': path}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'{script} ended with status {done.returncode}:\n{done.stderr[-2000:]}')


def seconds_of(log: Path, iterations: int, evaluation: dict[str, Any]) -> dict[str, float]:
    """What a run took, from its log: iterations as if the first ones were like the others, and its evaluation."""
    lines = [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()]
    times = [line['time'] for line in lines if 'loss' in line and line['step'] > LOGGED]
    (batch,) = (line['time'] for line in lines if 'loss' not in line)
    training = iterations * sum(times) / len(times)
    evaluating = batch * sum(evaluation['images'].values()) / evaluation['batch_size']
    return dict(training=training, evaluation=evaluating, all=training + evaluating)


def main() -> int:
    """Run all; returns 1 where a prediction was too far off."""
    args = parse_args()
    reached = True
    for config in args.configs:
        with tempfile.TemporaryDirectory() as folder:
            line = check(config, args, Path(folder))
        reached &= line['reached']
        text = json.dumps(line)
        print(text, flush=True)
        if args.out is not None:
            with args.out.open('a', encoding='utf-8') as file:
                file.write(text + '\n')
    return 0 if reached else 1


if __name__ == '__main__':
    sys.exit(main())
