"""What backbones cost: parameters, multiply-adds, and time and memory of a step, trained and frozen, and of inference.

The small LMSeg of ``configs/_base_/models/lmseg_r18.py`` over other backbones with random weights, on images of noise.
Each side is a process of its own. Time is that of the CPU, which other processes disturb less; memory is the most that
it had resident beyond what it had before its first step.

Example:
    python tools/benchmarks/backbones.py --models vit-s16 swin-t
"""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

import torch
from mmengine.config import Config
from torch.utils.flop_counter import FlopCounterMode

import mmlmseg  # noqa: F401  (registers its modules)
from mmlmseg.allocator import keep_freed_memory
from mmlmseg.config import read_config
from mmlmseg.lab import speed
from mmlmseg.lab.benchmark.spec import BASES
from mmlmseg.lab.noise import batch, build, noise

CONFIG = BASES.parent / 'lmseg' / 'lmseg_r18_clash5.py'
CLASSES = 20
TIMM = {
    'r50': 'resnet50',
    'convnext-t': 'convnext_tiny',
    'swin-t': 'swin_tiny_patch4_window7_224',
    'vit-s16': 'vit_small_patch16_dinov3',
    'vit-s14': 'vit_small_patch14_dinov2',
}
WAYS = ('trained', 'frozen', 'inference')


def config(model: str, way: str, precision: str) -> Config:
    """The small LMSeg over a backbone."""
    cfg = read_config(CONFIG)
    head = cfg.model.decode_head
    head.label_spaces = [dict(name='noise', classes=[f'class {i}' for i in range(CLASSES)])]
    backbone = dict(type='mmlmseg.TimmBackbone', model=TIMM[model], frozen=way == 'frozen')
    if model.startswith('vit'):
        cfg.model.neck = dict(type='mmlmseg.SimpleFeaturePyramid', in_channels=384, out_channels=128)
        head.in_channels = [128] * 4
    else:
        widths = dict(r50=256, **{'swin-t': 96, 'convnext-t': 96})[model]
        head.in_channels = [widths * 2**i for i in range(4)]
    cfg.model.backbone = backbone
    cfg.model.precision = precision
    head.text = None
    head.decoder.type, head.classifier = 'mmlmseg.PlainDecoder', dict(type='mmlmseg.LinearClassifier')
    return cfg


def play(args: argparse.Namespace) -> None:
    """Measures one side and prints its figures."""
    torch.set_num_threads(args.threads)
    keep_freed_memory()  # as tools/train.py does
    model_name, way = args.side.rsplit('-', 1)
    model, optim = build(config(model_name, way, args.precision))
    size = tuple(args.size)
    before, steps = speed.peak_mb(), iter(range(10**6))

    def step() -> None:
        data = batch([noise(size, 'noise', CLASSES, 8, i) for i in range(args.batch)])
        torch.manual_seed(next(steps))
        model.test_step(data) if way == 'inference' else model.train_step(data, optim)

    if way == 'inference':
        model.eval()
    figures = speed.measure(step, args.repeats, warmup=2)
    figures['step_mb'] = figures['peak_mb'] - before
    figures['parameters'] = sum(own.numel() for own in model.backbone.parameters())
    padded = [-(-side // model.size_divisor) * model.size_divisor for side in size]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval().extract_feat(torch.zeros(1, 3, *padded))
    figures['gmacs'] = counter.get_total_flops() / 2e9
    print(json.dumps(figures))


def row(name: str, ways: dict[str, dict[str, Any]]) -> str:
    """A line of the table."""
    trained, frozen, inference = (ways[way] for way in WAYS)
    cells = [name, f'{trained["parameters"] / 1e6:.1f}', f'{trained["gmacs"]:.1f}']
    for own in trained, frozen, inference:
        cells += [f'{1000 * own["cpu"]:.0f}', f'{own["step_mb"]:.0f}']
    return f'| {" | ".join(cells)} |'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--models', nargs='+', choices=list(TIMM), default=list(TIMM))
    parser.add_argument('--size', type=int, nargs=2, default=(192, 256), metavar=('H', 'W'))
    parser.add_argument('--batch', type=int, default=8, help='images of a step')
    parser.add_argument('--precision', default='float32', help="'auto', 'bfloat16' or 'float32'")
    speed.add_arguments(parser, rounds=1, repeats=3)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    own = ['--size', *args.size, '--batch', args.batch, '--precision', args.precision]
    own += ['--repeats', args.repeats, '--threads', args.threads]
    load = os.getloadavg()[0]
    ways = [f'{way}: CPU ms | MB' for way in WAYS]
    print(f'| {" | ".join(["backbone", "M parameters", "GMAC an image", *ways])} |')
    print('|---|---|---|---|---|---|---|---|---|')
    for name in args.models:
        figures = speed.in_turn({f'{name}-{way}': own for way in WAYS}, args.rounds)
        print(row(name, {way: figures[f'{name}-{way}'] for way in WAYS}), flush=True)
        if args.out is not None:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            with args.out.open('a', encoding='utf-8') as file:
                file.write(json.dumps(dict(figures=figures, size=list(args.size), batch=args.batch, load=load)) + '\n')
    print(f'load before {load:.1f}, after {os.getloadavg()[0]:.1f}; {args.threads} threads, {args.precision}')


if __name__ == '__main__':
    main()
