"""Time a training step of a model with 1, 4, 16, 64 and 256 label spaces of 50 classes each, on batches of one size.

ResNet-18, images of noise. Names come from the shipped bank, so that neighbouring spaces share most of theirs. In each
step every image is of another label space, as far as there are enough.

Example:
    python tools/benchmarks/many_label_spaces.py --method resi
"""

from __future__ import annotations

import argparse
import json
import os
from itertools import count

import torch

import mmlmseg  # noqa: F401  (registers its modules)
from mmlmseg.allocator import keep_freed_memory
from mmlmseg.config import read_config
from mmlmseg.lab import speed
from mmlmseg.lab.noise import batch, build, noise
from mmlmseg.models.text import TextBank

CONFIGS = {
    'lmseg': 'configs/lmseg/lmseg_r18_clash5.py',
    'resi': 'configs/resi/resi_r18_clash5.py',
    'multi-head': 'configs/baselines/multi-head_r18_clash5.py',
}
CLASSES = 50
PRESENT = 8  # classes in each image


def play(args: argparse.Namespace) -> None:
    """Measures the side with ``--side`` label spaces and prints its figures."""
    torch.set_num_threads(args.threads)
    keep_freed_memory()  # as tools/train.py does
    names = TextBank.load('minilm').names
    spaces = int(args.side)
    cfg = read_config(CONFIGS[args.method])
    head = cfg.model.decode_head
    head.label_spaces = [dict(name=f'space{i}', classes=list(names[9 * i : 9 * i + CLASSES])) for i in range(spaces)]
    if args.channels:  # as wide as at full size: queries of label spaces' own weigh more
        head.channels, head.queries.num_queries = args.channels, args.queries
    model, optim = build(cfg)
    steps = count()

    def step() -> None:
        first = next(steps) * args.batch
        samples = [
            noise(tuple(args.size), f'space{i % spaces}', CLASSES, PRESENT, i) for i in range(first, first + args.batch)
        ]
        model.train_step(batch(samples), optim)

    figures = speed.measure(step, args.repeats, warmup=2)
    figures['parameters'] = sum(p.numel() for p in model.parameters())
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--method', choices=list(CONFIGS), default='lmseg')
    parser.add_argument('--spaces', type=int, nargs='+', default=(1, 4, 16, 64, 256))
    parser.add_argument('--size', type=int, nargs=2, default=(192, 256), metavar=('H', 'W'))
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--channels', type=int, help='width of queries; by default that of the config, 128')
    parser.add_argument('--queries', type=int, default=100, help='of a set, with --channels')
    speed.add_arguments(parser, rounds=2, repeats=5)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    own = ['--method', args.method, '--size', *args.size, '--batch', args.batch, '--repeats', args.repeats]
    own += ['--threads', args.threads, '--queries', args.queries]
    own += ['--channels', args.channels] if args.channels else []
    before = os.getloadavg()[0]
    sides = [str(spaces) for spaces in args.spaces]
    figures = speed.in_turn(dict.fromkeys(sides, own), args.rounds)
    sizes = dict(size=list(args.size), batch=args.batch, classes=CLASSES, channels=args.channels, threads=args.threads)
    for side in sides[1:]:
        claim = f'{args.method}, {side} label spaces beside {sides[0]}'
        speed.report(claim, figures, side, sides[0], 'within 5 %', sizes, before, args.out)


if __name__ == '__main__':
    main()
