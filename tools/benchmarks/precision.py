"""Count the pixels of a validation set whose class is another in bfloat16 than in float32, of one trained model.

Prints a JSON line: by dataset the share of pixels that differ, and mIoU in both precisions.

Example:
    python tools/benchmarks/precision.py configs/lmseg/lmseg_r18_clash5.py work_dirs/lmseg_r18_clash5/iter_4500.pth
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rich.progress import track

from mmlmseg.apis.model import build_model
from mmlmseg.config import read_config
from mmlmseg.evaluation.functional import ClassAreas, class_areas, iou_scores
from mmlmseg.lab import speed
from mmlmseg.segments import IGNORE_INDEX

PRECISIONS = ('float32', 'bfloat16')


@torch.no_grad()
def compare(model: Any, loader: Any) -> dict[str, dict[str, float]]:
    """Predicts each image in both precisions; shares and scores in percent, by dataset."""
    areas: dict[str, dict[str, list[torch.Tensor]]] = defaultdict(lambda: defaultdict(list))
    pixels: dict[str, list[torch.Tensor]] = defaultdict(list)
    for batch in track(loader, 'Comparing', disable=None):
        maps: dict[str, list[torch.Tensor]] = {}
        for precision in PRECISIONS:
            model.precision = precision
            samples = model.test_step(batch)
            maps[precision] = [sample.pred_sem_seg.data.clone() for sample in samples]
            for sample, found in zip(samples, maps[precision], strict=True):
                space = model.label_spaces.get(sample.label_spaces[0])
                own = class_areas(found, sample.gt_sem_seg.data, space.num_classes, IGNORE_INDEX)
                areas[sample.dataset][precision].append(torch.stack(own))  # [3, K]
        for sample, one, other in zip(samples, *maps.values(), strict=True):
            differing = (one != other).sum()
            pixels[sample.dataset].append(torch.stack([differing, torch.tensor(one.numel())]))
    return {
        name: dict(pixels=share(counts), **{precision: miou(areas[name][precision]) for precision in PRECISIONS})
        for name, counts in pixels.items()
    } | dict(all=dict(pixels=share([count for counts in pixels.values() for count in counts])))


def share(counts: list[torch.Tensor]) -> float:
    """Percent of pixels that differ, of pairs (differing, all)."""
    differing, total = torch.stack(counts).sum(0).tolist()
    return round(100 * differing / total, 4)


def miou(areas: list[torch.Tensor]) -> float:
    """mIoU in percent of areas [3, K] an image."""
    return round(100 * float(iou_scores(ClassAreas(*torch.stack(areas).sum(0))).means['mIoU']), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', type=Path, help='add the JSON line to this file as well')
    args = parser.parse_args()
    config = read_config(args.config)
    init_default_scope(config.get('default_scope', 'mmseg'))
    config.val_dataloader.update(num_workers=0, persistent_workers=False)
    model = build_model(config, args.checkpoint)
    found = compare(model, Runner.build_dataloader(config.val_dataloader))
    text = json.dumps(
        dict(claim='bfloat16 beside float32, percent', goal='pixels <= 0.1', **found, versions=speed.versions())
    )
    print(text)
    if args.out is not None:
        with args.out.open('a', encoding='utf-8') as file:
            file.write(text + '\n')


if __name__ == '__main__':
    main()
