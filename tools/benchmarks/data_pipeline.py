"""Time ADE20K's training pipeline in one process on one core, beside the same pipeline of mmseg's transforms.

Both sides read the same files and draw the same numbers; that they make the same samples is checked by a sum of all
pixels and labels. A second line is of ours with the checks of files and ids that a training adds. The photos are those
of folder datasets, scaled to the short side of 512 pixels that ADE20K's have.

Example:
    python tools/benchmarks/data_pipeline.py data/camvid11 data/labelmefacade data/msrc_v2
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.registry import TRANSFORMS, DefaultScope
from PIL import Image

import mmlmseg  # noqa: F401  (registers its modules)
from mmlmseg.datasets import FolderDataset
from mmlmseg.lab import speed

SHORT_SIDE, CLASSES = 512, 150
Pair = tuple[Path, Path]


def pipeline(side: str) -> Compose:
    """The transforms of a side: ``ours``, ``ours-checked`` or ``mmseg``."""
    own = '' if side == 'mmseg' else 'mmlmseg.'
    steps = [
        dict(type='LoadImageFromFile'),
        *([dict(type='mmlmseg.CheckImage')] if side == 'ours-checked' else []),
        dict(type=f'{own}LoadAnnotations'),
        *([dict(type='mmlmseg.CheckLabels', num_classes=CLASSES)] if side == 'ours-checked' else []),
        dict(type='RandomResize', scale=(2048, SHORT_SIDE), ratio_range=(0.5, 2.0), keep_ratio=True),
        dict(type=f'{own}RandomCrop', crop_size=(SHORT_SIDE, SHORT_SIDE), cat_max_ratio=0.75),
        dict(type=f'{own}RandomFlip', prob=0.5),
        dict(type=f'{own}PhotoMetricDistortion'),
        dict(type='mmlmseg.PackSegments' if own else 'PackSegInputs'),
    ]
    with DefaultScope.overwrite_default_scope('mmseg'):
        return Compose([TRANSFORMS.build(step) for step in steps])


def write_samples(folders: Sequence[Path], number: int, out: Path) -> list[tuple[int, int]]:
    """Writes scaled photos and labels, of all folders in turn, with ids from 1 and 0 for what is ignored.

    Returns:
        Height and width of each photo.
    """
    listed = [FolderDataset(folder, pipeline=[]) for folder in folders]
    samples = [[data.get_data_info(i) for i in range(min(len(data), number))] for data in listed]
    mixed = [info for info in chain.from_iterable(zip_longest(*samples)) if info][:number]
    sizes = []
    for place, info in enumerate(mixed):
        image, labels = cv2.imread(info['img_path']), np.asarray(Image.open(info['seg_map_path']))
        scale = SHORT_SIDE / min(labels.shape)
        size = [round(side * scale) for side in labels.shape[::-1]]
        cv2.imwrite(str(out / f'{place:05}.jpg'), cv2.resize(image, size, interpolation=cv2.INTER_CUBIC))
        labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        Image.fromarray(np.where(labels == 255, 0, labels + 1).astype(np.uint8)).save(out / f'{place:05}.png')
        sizes.append((size[1], size[0]))
    return sizes


def samples_of(folder: Path) -> list[dict[str, Any]]:
    """What a dataset says of the written samples."""
    return [
        dict(
            img_path=str(image),
            seg_map_path=str(image.with_suffix('.png')),
            label_map=None,
            reduce_zero_label=True,
            seg_fields=[],
        )
        for image in sorted(folder.glob('*.jpg'))
    ]


def play(args: argparse.Namespace) -> None:
    """Measures one side: a step runs every photo through the pipeline once, and keeps none, as a worker does."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    transforms, samples = pipeline(args.side), samples_of(args.samples)

    def sums() -> Iterator[int]:
        for info in copy.deepcopy(samples):
            packed = transforms(info)
            yield int(packed['inputs'].sum() + packed['data_samples'].gt_sem_seg.data.sum())

    def step() -> None:
        for info in copy.deepcopy(samples):
            transforms(info)

    np.random.seed(0)
    checksum = sum(sums())
    figures = speed.measure(step, args.repeats, warmup=0)
    print(json.dumps(dict(figures, images_per_second=len(samples) / figures['wall'], checksum=checksum)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folders', nargs='*', type=Path, help='folder datasets whose photos are scaled')
    parser.add_argument('--images', type=int, default=100, help='photos of all folders together')
    parser.add_argument('--samples', type=Path, help=argparse.SUPPRESS)
    speed.add_arguments(parser, rounds=2, repeats=5)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        sizes = write_samples(args.folders, args.images, Path(folder))
        own = ['--samples', folder, '--repeats', args.repeats]
        figures = speed.in_turn(dict.fromkeys(['ours', 'ours-checked', 'mmseg'], own), args.rounds)
    if len({side.pop('checksum') for side in figures.values()}) > 1:
        raise RuntimeError('the sides made different samples')
    middle = [float(side) for side in np.median(sizes, axis=0)]
    sizes = dict(images=len(sizes), median=middle, crop=SHORT_SIDE, photos='of folder datasets, scaled', cores=1)
    for side in ('ours', 'ours-checked'):
        speed.report('training pipeline of ADE20K', figures, side, 'mmseg', '>= 2x', sizes, before, args.out)


if __name__ == '__main__':
    main()
