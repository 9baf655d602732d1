"""Average precision of drawn instances, from masks to numbers, against pycocotools on run lengths of the same masks.

The numbers must be equal before anything is timed.

Example:
    python tools/benchmarks/instance_ap.py --threads 1
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os

import numpy as np
import torch
from mmengine.logging import MMLogger
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmlmseg.evaluation import InstanceAP
from mmlmseg.lab import speed
from mmlmseg.segments import MaskSet

CLASSES = 80
KEYS = ('AP', 'AP50', 'AP75', 'AP_s', 'AP_m', 'AP_l')


def ellipses(random: np.random.Generator, number: int, height: int, width: int) -> np.ndarray:
    """Centre and half axes [number, 4] in pixels, small and large ones."""
    axes = np.exp(random.uniform(np.log(6), np.log(height / 3), (number, 2)))
    return np.concatenate([random.uniform((0, 0), (height, width), (number, 2)), axes], 1)


def masks_of(shapes: np.ndarray, height: int, width: int) -> torch.Tensor:
    """Bool [n, H, W]."""
    y, x, a, b = torch.from_numpy(shapes).float().T[..., None, None]
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    return ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 <= 1


def drawn(random: np.random.Generator, height: int, width: int, things: int, found: int) -> dict:
    """A sample: true ellipses, a few of them crowds; predictions are these, moved, and others that are none."""
    shapes, labels = ellipses(random, things, height, width), random.integers(0, CLASSES, things)
    again = random.integers(0, things, found // 2)
    moved = shapes[again] * random.normal(1, 0.05, (len(again), 4))
    others = ellipses(random, found - len(again), height, width)
    said = np.concatenate([labels[again], random.integers(0, CLASSES, len(others))])
    crowd = torch.from_numpy(random.random(things) < 0.05)
    return dict(
        img_path='drawn',
        gt_segments=MaskSet(masks_of(shapes, height, width), torch.from_numpy(labels), crowd=crowd),
        pred_instances=MaskSet(
            masks_of(np.concatenate([moved, others]), height, width),
            torch.from_numpy(said),
            scores=torch.from_numpy(random.random(found)),
        ),
    )


def ours(samples: list[dict]) -> dict[str, float]:
    metric = InstanceAP()
    metric.dataset_meta = dict(classes=[str(c) for c in range(CLASSES)], is_thing=[True] * CLASSES)
    for sample in samples:
        metric.process(None, [sample])
    scores = metric.evaluate(len(samples))
    return {key: scores[key] for key in KEYS}


def pycocotools(samples: list[dict]) -> dict[str, float]:
    true, found = [], []
    for number, sample in enumerate(samples, 1):
        truth, said = sample['gt_segments'], sample['pred_instances']
        for mask, label, crowd in zip(truth.masks, truth.labels.tolist(), truth.crowd.tolist(), strict=True):
            if mask.any():
                runs = _runs(mask)
                about = dict(id=len(true) + 1, iscrowd=int(crowd), area=float(coco_mask.area(runs)))
                true.append(dict(image_id=number, category_id=label, segmentation=runs, **about))
        for mask, label, score in zip(said.masks, said.labels.tolist(), said.scores.tolist(), strict=True):
            found.append(dict(image_id=number, category_id=label, score=score, segmentation=_runs(mask)))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        height, width = samples[0]['gt_segments'].size
        truth.dataset = dict(
            info={},
            images=[dict(id=i, height=height, width=width) for i in range(1, len(samples) + 1)],
            categories=[dict(id=c, name=str(c)) for c in range(CLASSES)],
            annotations=true,
        )
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), 'segm')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(KEYS, (100 * evaluation.stats[:6]).round(2).tolist(), strict=True))


def _runs(mask: torch.Tensor) -> dict:
    return coco_mask.encode(np.asfortranarray(mask.numpy().astype(np.uint8)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=40)
    parser.add_argument('--size', type=int, nargs=2, default=(480, 640), metavar=('H', 'W'))
    parser.add_argument('--things', type=int, default=10, help='true instances of an image')
    parser.add_argument('--found', type=int, default=100, help='predicted instances of an image')
    speed.add_arguments(parser, repeats=3)
    args = parser.parse_args()
    about = dict(images=args.images, things=args.things, found=args.found, threads=args.threads)
    if args.side is None:
        before = os.getloadavg()[0]
        given = [part for key, value in about.items() for part in (f'--{key}', value)]
        given += ['--size', *args.size, '--repeats', args.repeats]
        figures = speed.in_turn(dict.fromkeys(('mmlmseg', 'pycocotools'), given), args.rounds)
        about['size'] = args.size
        speed.report('instance AP', figures, 'mmlmseg', 'pycocotools', '5 times', about, before, args.out)
        return
    torch.set_num_threads(args.threads)
    MMLogger.get_current_instance().setLevel('ERROR')  # the tables per class
    random = np.random.default_rng(0)
    samples = [drawn(random, *args.size, args.things, args.found) for _ in range(args.images)]
    scores, expected = ours(samples), pycocotools(samples)
    if scores != expected:
        raise SystemExit(f'the numbers differ: {scores} and {expected}')
    step = ours if args.side == 'mmlmseg' else pycocotools
    print(json.dumps(speed.measure(lambda: step(samples), args.repeats, warmup=0)))


if __name__ == '__main__':
    main()
