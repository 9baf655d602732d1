"""Panoptic quality of drawn images against panopticapi's way: sorted pairs of ids, then loops over dicts.

The numbers must be equal before anything is timed. Reading PNGs, which panopticapi does and we do not, is left out.

Example:
    python tools/benchmarks/panoptic_quality.py --threads 1
"""

from __future__ import annotations

import argparse
import json
import os

import numpy as np
import torch

from mmlmseg.evaluation.functional import PanopticCounts, panoptic_counts, panoptic_scores
from mmlmseg.lab import speed

OFFSET = 256**3
CLASSES = 80
Image = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def drawn(random: np.random.Generator, height: int, width: int, segments: int) -> Image:
    """Truth and prediction: cells around random points, the prediction's a little moved and relabelled."""
    points, labels = random.uniform((0, 0), (height, width), (segments, 2)), random.integers(0, CLASSES, segments)
    moved = points + random.normal(0, height / 100, points.shape)
    said = np.where(random.random(segments) < 0.8, labels, random.integers(0, CLASSES, segments))
    maps = [_cells(own, height, width) for own in (points, moved)]
    maps[0][: height // 20] = 0  # void
    return maps[1], said, maps[0], labels, random.random(segments) < 0.05


def _cells(points: np.ndarray, height: int, width: int) -> np.ndarray:
    y, x = np.ogrid[:height, :width]
    nearest, ids = np.full((height, width), np.inf), np.zeros((height, width), dtype=np.int32)
    for number, (py, px) in enumerate(points, 1):
        distance = (y - py) ** 2 + (x - px) ** 2
        closer = distance < nearest
        nearest[closer], ids[closer] = distance[closer], number
    return ids


def ours(images: list[Image]) -> np.ndarray:
    """Sums [4, K]: IoU, true positives, false positives, false negatives."""
    total = torch.zeros(4, CLASSES, dtype=torch.double)
    for image in images:
        counts = panoptic_counts(*map(torch.from_numpy, image), CLASSES)
        total += torch.stack([part.double() for part in counts])
    return total.numpy()


def loops(images: list[Image]) -> np.ndarray:
    """The same by the algorithm of panopticapi's evaluation of one process."""
    total = np.zeros((4, CLASSES))
    for prediction, said, truth, labels, crowd in images:
        true, found = dict(enumerate(labels.tolist(), 1)), dict(enumerate(said.tolist(), 1))
        true_areas, found_areas = (dict(zip(*map(list, np.unique(m, return_counts=True)))) for m in (truth, prediction))
        pairs, counts = np.unique(truth.astype(np.uint64) * OFFSET + prediction.astype(np.uint64), return_counts=True)
        shared = {(int(p // OFFSET), int(p % OFFSET)): int(n) for p, n in zip(pairs, counts, strict=True)}
        matched_true, matched_found = set(), set()
        for (t, p), common in shared.items():
            if t not in true or p not in found or crowd[t - 1] or true[t] != found[p]:
                continue
            iou = common / (true_areas[t] + found_areas[p] - common - shared.get((0, p), 0))
            if iou > 0.5:
                total[0, true[t]] += iou
                total[1, true[t]] += 1
                matched_true.add(t)
                matched_found.add(p)
        crowds: dict[int, list[int]] = {}
        for t, label in true.items():
            if crowd[t - 1]:
                crowds.setdefault(label, []).append(t)
            elif t in true_areas and t not in matched_true:
                total[3, label] += 1
        for p, label in found.items():
            if p in found_areas and p not in matched_found:
                excused = shared.get((0, p), 0) + sum(shared.get((t, p), 0) for t in crowds.get(label, ()))
                total[2, label] += excused / found_areas[p] <= 0.5
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=100)
    parser.add_argument('--size', type=int, nargs=2, default=(512, 512), metavar=('H', 'W'))
    parser.add_argument('--segments', type=int, default=30)
    speed.add_arguments(parser, repeats=3)
    args = parser.parse_args()
    sizes = ['--images', args.images, '--size', *args.size, '--segments', args.segments, '--threads', args.threads]
    if args.side is None:
        before = os.getloadavg()[0]
        sides = {name: [*sizes, '--repeats', args.repeats] for name in ('mmlmseg', 'loops')}
        figures = speed.in_turn(sides, args.rounds)
        about = dict(images=args.images, size=args.size, segments=args.segments, threads=args.threads)
        speed.report('panoptic quality', figures, 'mmlmseg', 'loops', '20 times', about, before, args.out)
        return
    torch.set_num_threads(args.threads)
    random = np.random.default_rng(0)
    images = [drawn(random, *args.size, args.segments) for _ in range(args.images)]
    expected, got = (
        panoptic_scores(PanopticCounts(*torch.from_numpy(side(images)))).pq.numpy() for side in (loops, ours)
    )
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
    step = ours if args.side == 'mmlmseg' else loops
    print(json.dumps(speed.measure(lambda: step(images), args.repeats, warmup=0)))


if __name__ == '__main__':
    main()
