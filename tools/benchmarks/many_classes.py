"""Time and memory of the class map of an image with many classes, against the plain formula that holds all scores.

Both class maps must be equal, but for pixels whose two best scores a rounding tells apart (``differing``, at most one
in 100,000). ``added_mb`` is what the step adds to the memory of the process at its highest.

Example:
    python tools/benchmarks/many_classes.py --classes 5000 --size 240 320
    python tools/benchmarks/many_classes.py --classes 1203 --size 1024 2048    # the plain formula takes 11 GB
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlmseg.lab import speed
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.postprocess.semantic import class_map, class_scores
from mmlmseg.models.structures import Prediction


def ours(own: Prediction, size: tuple[int, int]) -> Tensor:
    return class_map(class_scores(own, size))


def plain(own: Prediction, size: tuple[int, int]) -> Tensor:
    """MaskFormer's formula: all masks at full size, all scores, the best."""
    masks = F.interpolate(own.mask_logits[None], size=size, mode='bilinear', align_corners=False)[0].sigmoid_()
    return torch.einsum('nk,nhw->khw', own.classes[:, :-1], masks).argmax(0)


SIDES = {'mmlmseg': ours, 'plain': plain}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--classes', type=int, default=5000)
    parser.add_argument('--size', type=int, nargs=2, default=(240, 320), metavar=('H', 'W'))
    parser.add_argument('--queries', type=int, default=100)
    parser.add_argument('--maps', type=Path, help=argparse.SUPPRESS)
    speed.add_arguments(parser, repeats=3)
    args = parser.parse_args()
    about = dict(classes=args.classes, queries=args.queries, threads=args.threads)
    if args.side is None:
        before = os.getloadavg()[0]
        given = [part for key, value in about.items() for part in (f'--{key}', value)]
        given += ['--size', *args.size, '--repeats', args.repeats]
        with tempfile.TemporaryDirectory() as maps:
            given += ['--maps', maps]
            figures = speed.in_turn(dict.fromkeys(SIDES, given), args.rounds)
            found, plainly = (torch.load(Path(maps, side)) for side in SIDES)
        about.update(size=args.size, differing=float((found != plainly).float().mean()))
        if about['differing'] > 1e-5:
            raise SystemExit(f'the class maps differ on {about["differing"]:.3%} of the pixels')
        goal = '0.5 GB added at 5000 classes and 240x320, 1.0 GB at 1203 and 1024x2048'
        speed.report('class map of many classes', figures, 'mmlmseg', 'plain', goal, about, before, args.out)
        return
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    height, width = args.size
    space = LabelSpace.create('many', [f'class {k}' for k in range(args.classes)])
    classes = torch.randn(args.queries, args.classes + 1).mul_(3).softmax(-1)
    own = Prediction(classes, 4 * torch.randn(args.queries, height // 4, width // 4), space)
    before = speed.peak_mb()
    found = SIDES[args.side](own, (height, width))
    added = speed.peak_mb() - before
    torch.save(found, args.maps / args.side)
    figures = speed.measure(lambda: SIDES[args.side](own, (height, width)), args.repeats, warmup=0)
    print(json.dumps(dict(figures, added_mb=added)))


if __name__ == '__main__':
    main()
