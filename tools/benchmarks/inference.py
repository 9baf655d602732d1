"""Time the semantic result of one image, from pixels to class map, beside mmseg's model of the same kind.

ResNet-50 with random weights, ADE20K's 150 classes, an image of noise. Both sides run mmengine's ``test_step``.

Example:
    python tools/benchmarks/inference.py lmseg --size 512 1024
"""

from __future__ import annotations

import argparse
import json
import os
from types import SimpleNamespace

import torch
from training_step import OURS, PEERS, images, ours, peer

from mmlmseg.allocator import keep_freed_memory
from mmlmseg.engine import CompileHook
from mmlmseg.lab import speed
from mmlmseg.lab.noise import build


def play(args: argparse.Namespace) -> None:
    """Measures one side and prints its figures."""
    torch.set_num_threads(args.threads)
    whose, precision = args.side.split('-')
    if whose == 'ours':
        keep_freed_memory()  # as tools/test.py does
    cfg = ours(args.row, precision) if whose == 'ours' else peer(PEERS[args.row], precision)
    model = build(cfg)[0].eval()
    if args.compile and whose == 'ours':
        CompileHook().before_train(SimpleNamespace(model=model))  # as in training; sizes are fixed here
    args.batch, args.masks = 1, 20

    @torch.no_grad()
    def step() -> None:
        (sample,) = model.test_step(images(args))
        assert sample.pred_sem_seg.data.shape[-2:] == tuple(args.size)

    print(json.dumps(speed.measure(step, args.repeats, warmup=2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('row', choices=list(OURS))
    parser.add_argument('--size', type=int, nargs=2, default=(512, 1024), metavar=('H', 'W'))
    parser.add_argument('--precision', default='auto', help="ours: 'auto', 'bfloat16' or 'float32'")
    parser.add_argument('--compile', action='store_true', help='backbone, pixel decoder and decoder of ours compiled')
    speed.add_arguments(parser, rounds=2, repeats=5)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    own = [args.row, '--size', *args.size, '--repeats', args.repeats, '--threads', args.threads]
    own += ['--compile'] if args.compile else []
    names = f'ours-{args.precision}', 'mmseg-float32'
    before = os.getloadavg()[0]
    figures = speed.in_turn(dict.fromkeys(names, own), args.rounds)
    sizes = dict(backbone='R50', size=list(args.size), threads=args.threads, compiled=args.compile)
    speed.report(f'inference, {args.row}', figures, *names, '>= 2x', sizes, before, args.out)


if __name__ == '__main__':
    main()
