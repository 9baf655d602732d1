"""Time a training step, and its memory, with parts compiled and with parts checkpointed, beside the same step without.

LMSeg with ResNet-50 as in training_step.py. The first, compiling call is among the steps that warm up; ``first`` is how
long it takes.

Example:
    python tools/benchmarks/execution.py --size 256 256
"""

from __future__ import annotations

import argparse
import json
import os
import time
from types import SimpleNamespace

import torch
from training_step import images, ours

from mmlmseg.allocator import keep_freed_memory
from mmlmseg.engine import ActivationCheckpointingHook, CompileHook
from mmlmseg.lab import speed
from mmlmseg.lab.noise import build

HOOKS = {
    'eager': list,
    'compiled': lambda: [CompileHook()],
    'backbone-checkpointed': lambda: [ActivationCheckpointingHook(['backbone'])],
    'all-checkpointed': lambda: [
        ActivationCheckpointingHook(['backbone', 'decode_head.pixel_features', 'decode_head.decoder'])
    ],
}


def play(args: argparse.Namespace) -> None:
    """Measures one side and prints its figures."""
    torch.set_num_threads(args.threads)
    keep_freed_memory()  # as tools/train.py does
    model, wrapper = build(ours('lmseg', args.precision))
    for hook in HOOKS[args.side]():
        hook.before_train(SimpleNamespace(model=model))

    def step() -> None:
        model.train_step(images(args), wrapper)

    start = time.perf_counter()
    step()
    first = time.perf_counter() - start
    print(json.dumps({**speed.measure(step, args.repeats, warmup=1), 'first': first}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, nargs=2, default=(512, 512), metavar=('H', 'W'))
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--masks', type=int, default=20, help='classes in each image')
    parser.add_argument('--precision', default='auto', help="'auto', 'bfloat16' or 'float32'")
    parser.add_argument('--sides', nargs='+', default=list(HOOKS)[1:], choices=list(HOOKS)[1:])
    speed.add_arguments(parser, rounds=1, repeats=5)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    before = os.getloadavg()[0]
    own = ['--size', *args.size, '--batch', args.batch, '--masks', args.masks, '--precision', args.precision]
    own += ['--repeats', args.repeats, '--threads', args.threads]
    figures = speed.in_turn(dict.fromkeys(['eager', *args.sides], own), args.rounds)
    sizes = dict(model='LMSeg R50', size=list(args.size), batch=args.batch, threads=args.threads, at=args.precision)
    for side in args.sides:
        speed.report('parts of a step', figures, side, 'eager', '', sizes, before, args.out)


if __name__ == '__main__':
    main()
