"""Time and memory of a large image in tiles, against the same number of pixels in images of 512x1024.

A model of random weights: neither depends on what it says.

Example:
    python tools/benchmarks/large_image.py --size 4000 6000
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample
from torch import nn

from mmlmseg.lab import speed
from mmlmseg.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
SMALL = (512, 1024)


def built(num_classes: int, tiles: dict[str, Any]) -> nn.Module:
    """LMSeg with a ResNet-18 and one label space."""
    names = (ROOT / 'tools' / 'text_bank_names.txt').read_text(encoding='utf-8').splitlines()
    space = dict(name='many', classes=[name for name in names if name and name[0] != '#'][:num_classes])
    config = Config.fromfile(ROOT / 'configs' / '_base_' / 'models' / 'lmseg_r18.py').model
    config.decode_head.label_spaces = [space]
    config.test_cfg = dict(tiles=tiles)
    init_default_scope('mmseg')
    model: nn.Module = MODELS.build(config).eval()
    return model


def segment(model: nn.Module, image: torch.Tensor) -> None:
    """One image, uint8 [3, H, W], from pixels to a class map."""
    size = tuple(image.shape[1:])
    sample = SegDataSample(metainfo=dict(img_shape=size, ori_shape=size, label_spaces=('many',)))
    with torch.no_grad():
        model.test_step(dict(inputs=[image], data_samples=[sample]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, nargs=2, default=(4000, 6000), metavar=('H', 'W'))
    parser.add_argument('--classes', type=int, default=150)
    parser.add_argument('--tile', type=int, default=1024)
    parser.add_argument('--overlap', type=int, default=128)
    speed.add_arguments(parser, rounds=1, repeats=1)
    args = parser.parse_args()
    about = dict(classes=args.classes, tile=args.tile, overlap=args.overlap, threads=args.threads)
    if args.side is None:
        before = os.getloadavg()[0]
        given = [part for key, value in about.items() for part in (f'--{key}', value)]
        given += ['--size', *args.size, '--repeats', args.repeats]
        figures = speed.in_turn(dict.fromkeys(('large', 'small'), given), args.rounds)
        images = args.size[0] * args.size[1] / (SMALL[0] * SMALL[1])
        figures['small'].update({key: images * figures['small'][key] for key in ('wall', 'cpu')})
        about['size'] = args.size
        goal = 'at most 1.5 GB, and 3 times the time of the same pixels at 512x1024 (a ratio of 0.33)'
        speed.report('large image in tiles', figures, 'large', 'small', goal, about, before, args.out)
        return
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = built(args.classes, dict(size=(args.tile, args.tile), overlap=args.overlap))
    size = args.size if args.side == 'large' else SMALL
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    repeats = args.repeats if args.side == 'large' else max(3, args.repeats)
    print(json.dumps(speed.measure(lambda: segment(model, image), repeats, warmup=int(args.side == 'small'))))


if __name__ == '__main__':
    main()
