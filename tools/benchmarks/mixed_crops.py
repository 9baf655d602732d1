"""Time a training step on one batch of crops of unlike sizes, in groups of like size, beside all padded to the largest.

LMSeg with ResNet-50 and the shipped bank; images of noise. ``useful`` is the share of the pixels that went through the
model and are of an image.

Example:
    python tools/benchmarks/mixed_crops.py --scale 0.5
"""

from __future__ import annotations

import argparse
import json
import os

import torch

import mmlmseg  # noqa: F401  (registers its modules)
from mmlmseg.allocator import keep_freed_memory
from mmlmseg.config import read_config
from mmlmseg.lab import speed
from mmlmseg.lab.noise import batch, build, noise

CONFIG = 'configs/lmseg/lmseg_in1k-r50_ade20k-cityscapes-cocostuff10k-mapillary.py'
SIZES = ((512, 512), (512, 1024), (640, 640), (1280, 1280))
MAX_PADDING = dict(groups=0.15, padded=1.0)  # of the preprocessor; all images are joined where any padding will do


def play(args: argparse.Namespace) -> None:
    """Measures one side and prints its figures."""
    torch.set_num_threads(args.threads)
    keep_freed_memory()  # as tools/train.py does
    cfg = read_config(CONFIG)
    cfg.model.backbone.init_cfg = None
    cfg.model.decode_head.label_spaces = [dict(dataset='ADE20KDataset')]
    cfg.model.decode_head.text.encoder = dict(type='mmlmseg.TextBankEncoder')
    cfg.model.data_preprocessor.max_padding = MAX_PADDING[args.side]
    model, optim = build(cfg)
    sizes = [(round(height * args.scale), round(width * args.scale)) for height, width in SIZES]
    through = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: through.append(inputs[0][:, 0].numel()))

    def step() -> None:
        samples = [noise(size, 'ade20k', 150, args.masks, i) for i, size in enumerate(sizes)]
        through.clear()
        model.train_step(batch(samples), optim)

    figures = speed.measure(step, args.repeats)
    figures['useful'] = sum(height * width for height, width in sizes) / sum(through)
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--scale', type=float, default=1.0, help='of all sizes; padded, full size takes some 15 GB')
    parser.add_argument('--masks', type=int, default=20, help='classes in each image')
    speed.add_arguments(parser, rounds=2, repeats=3)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    own = ['--scale', args.scale, '--masks', args.masks, '--repeats', args.repeats, '--threads', args.threads]
    before = os.getloadavg()[0]
    figures = speed.in_turn(dict.fromkeys(MAX_PADDING, own), args.rounds)
    sizes = dict(crops=SIZES, scale=args.scale, masks=args.masks, threads=args.threads)
    goal = 'at least 1.9 times as fast, 98 % useful pixels'
    speed.report('mixed crops', figures, 'groups', 'padded', goal, sizes, before, args.out)


if __name__ == '__main__':
    main()
