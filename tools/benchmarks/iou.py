"""Mean IoU of random label maps, against mmseg's IoUMetric.

Example:
    python tools/benchmarks/iou.py --threads 1
"""

from __future__ import annotations

import argparse
import json
import os

import torch
from mmengine.logging import MMLogger
from mmseg.evaluation import IoUMetric

from mmlmseg.evaluation import SemanticIoU
from mmlmseg.lab import speed

SIDES = {'mmlmseg': SemanticIoU, 'mmseg': IoUMetric}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=20)
    parser.add_argument('--classes', type=int, default=150)
    parser.add_argument('--size', type=int, nargs=2, default=(512, 1024), metavar=('H', 'W'))
    speed.add_arguments(parser, repeats=3)
    args = parser.parse_args()
    about = dict(images=args.images, classes=args.classes, threads=args.threads)
    if args.side is None:
        before = os.getloadavg()[0]
        given = [part for key, value in about.items() for part in (f'--{key}', value)]
        given += ['--size', *args.size, '--repeats', args.repeats]
        figures = speed.in_turn(dict.fromkeys(SIDES, given), args.rounds)
        if abs(figures['mmlmseg']['score'] - figures['mmseg']['score']) > 0.0051:  # mmseg rounds to two digits
            raise SystemExit('the numbers differ')
        about['size'] = args.size
        speed.report('mean IoU', figures, 'mmlmseg', 'mmseg', '10 times', about, before, args.out)
        return
    torch.set_num_threads(args.threads)
    MMLogger.get_current_instance().setLevel('ERROR')  # the tables per class
    generator = torch.Generator().manual_seed(0)
    maps = torch.randint(0, args.classes, (args.images, 2, 1, *args.size), generator=generator)
    samples = [dict(pred_sem_seg=dict(data=found), gt_sem_seg=dict(data=label)) for found, label in maps]

    def step() -> dict[str, float]:
        metric = SIDES[args.side]()
        metric.dataset_meta = dict(classes=[str(k) for k in range(args.classes)])
        for sample in samples:
            metric.process(None, [sample])
        scores: dict[str, float] = metric.evaluate(len(samples))
        return scores

    score = float(step()['mIoU'])
    print(json.dumps(dict(speed.measure(step, args.repeats, warmup=0), score=score)))


if __name__ == '__main__':
    main()
