"""What the lists of federated labels are worth: AP of one model on drawn discs, trained with and without them.

In each image, half of the classes were looked for; objects of the others are there, but not marked. ``lists`` trains on
a file that says so (``neg_category_ids``), ``no lists`` on the same file without them, where what is not marked is a
negative, and ``all marked`` on one in which nothing is missing: what there is to reach. All start from one seed, and
are scored on images of which all objects are marked.

Example:
    python tools/benchmarks/federated_labels.py --activation sigmoid
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--iterations', type=int, default=500, help='steps of 4 images')
    parser.add_argument('--images', type=int, default=200, help='of the training; a quarter as many are scored')
    parser.add_argument('--activation', choices=['softmax', 'sigmoid'], default='sigmoid')
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import cv2
import numpy as np
from mmengine.runner import Runner

import mmlmseg  # noqa: F401

SIZE, BATCH = 48, 4
COLOURS = {
    'apple': (40, 40, 220),
    'leaf': (40, 190, 40),
    'ball': (220, 80, 40),
    'banana': (40, 220, 230),
    'plum': (170, 40, 160),
    'snow': (235, 235, 235),
}
"""Classes, and the colour of their discs in BGR."""


def draw(folder: Path, split: str, number: int, seed: int) -> dict[str, Any]:
    """Draws images of three to five discs that do not overlap; returns the annotation file that marks all of them."""
    random = np.random.default_rng(seed)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (folder / split).mkdir()
    for image in range(1, number + 1):
        picture = random.normal(110, 20, (SIZE, SIZE, 3))
        for cell in random.permutation(9)[: random.integers(3, 6)].tolist():
            y, x = (side * (SIZE // 3) + int(random.integers(6, 11)) for side in divmod(cell, 3))
            label, radius = int(random.integers(len(COLOURS))), int(random.integers(4, 7))
            ring = cv2.ellipse2Poly((x, y), (radius, radius), 0, 0, 360, 20)
            inside = cv2.fillPoly(np.zeros((SIZE, SIZE), np.uint8), [ring], 1) > 0
            picture[inside] = random.normal(list(COLOURS.values())[label], 20, (inside.sum(), 3))
            own = dict(id=len(annotations) + 1, image_id=image, category_id=label)
            annotations.append({**own, 'segmentation': [ring.ravel().tolist()]})
        cv2.imwrite(str(folder / split / f'{image}.png'), picture.clip(0, 255).astype(np.uint8))
        images.append(dict(id=image, file_name=f'{split}/{image}.png', height=SIZE, width=SIZE))
    categories = [dict(id=label, name=name) for label, name in enumerate(COLOURS)]
    return dict(images=images, annotations=annotations, categories=categories)


def searched_in_part(content: dict[str, Any], seed: int) -> dict[str, Any]:
    """The file as if half of the classes had been looked for in each image, other ones in each."""
    random = np.random.default_rng(seed)
    images, annotations = [], []
    for image in content['images']:
        looked_for = set(random.permutation(len(COLOURS))[: len(COLOURS) // 2].tolist())
        objects = [one for one in content['annotations'] if one['image_id'] == image['id']]
        annotations += [one for one in objects if one['category_id'] in looked_for]
        absent = looked_for - {one['category_id'] for one in objects}
        images.append({**image, 'neg_category_ids': sorted(absent)})
    return {**content, 'images': images, 'annotations': annotations}


def without_lists(content: dict[str, Any]) -> dict[str, Any]:
    """The file as a tool leaves it that knows nothing of federated labels."""
    images = [{key: value for key, value in image.items() if key != 'neg_category_ids'} for image in content['images']]
    return {**content, 'images': images}


def loader(folder: Path, file: str, sampler: dict[str, Any], *steps: dict[str, Any]) -> dict[str, Any]:
    dataset = dict(
        type='mmlmseg.InstanceDataset',
        ann_file=file,
        data_root=str(folder),
        metainfo=dict(label_space='discs'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmlmseg.LoadSegments'),
            *steps,
            dict(type='mmlmseg.PackSegments'),
        ],
    )
    joined = dict(type='mmlmseg.MultiDataset', datasets=[dataset])
    return dict(batch_size=BATCH, num_workers=0, sampler=sampler, dataset=joined)


def model(folder: Path, activation: str) -> dict[str, Any]:
    """LMSeg, small: every part of it, narrow."""
    widths = [16, 32, 64, 128]
    return dict(
        type='mmlmseg.MultiSpaceSegmentor',
        data_preprocessor=dict(
            type='mmlmseg.GroupingDataPreProcessor', mean=[110.0] * 3, std=[60.0] * 3, bgr_to_rgb=True, size_divisor=32
        ),
        backbone=dict(
            type='mmseg.ResNet', depth=18, base_channels=16, stem_channels=16, norm_cfg=dict(type='GN', num_groups=8)
        ),
        decode_head=dict(
            type='mmlmseg.QueryHead',
            label_spaces=[dict(path=str(folder / 'val.json'), name='discs')],
            in_channels=widths,
            channels=64,
            pixel_decoder=dict(type='mmdet.PixelDecoder', norm_cfg=dict(type='GN', num_groups=8)),
            queries=dict(type='mmlmseg.SharedQueries', num_queries=16),
            decoder=dict(
                type='mmlmseg.CategoryGuidedDecoder', num_layers=2, num_heads=4, ffn_channels=128, dropout=0.0
            ),
            text=dict(type='mmlmseg.TextTable', encoder=dict(type='mmlmseg.TextBankEncoder')),
            classifier=dict(type='mmlmseg.TextClassifier'),
            criterion=dict(type='mmlmseg.SetCriterion'),
            class_activation=activation,
            things_only=True,
        ),
        test_cfg=dict(tasks=['instance']),
    )


def train(folder: Path, way: str, activation: str, iterations: int, seed: int) -> dict[str, float]:
    """Trains on the file of a way and scores on images of which all is marked."""
    flips = [dict(type='mmlmseg.RandomFlip', prob=0.5, direction=['horizontal', 'vertical'])]
    runner = Runner(
        model=model(folder, activation),
        work_dir=str(folder / way),
        train_dataloader=loader(folder, f'{way}.json', dict(type='mmlmseg.PerImageSampler'), *flips),
        val_dataloader=loader(folder, 'val.json', dict(type='DefaultSampler', shuffle=False, round_up=False)),
        train_cfg=dict(type='mmlmseg.ResumableTrainLoop', max_iters=iterations, val_interval=iterations + 1),
        val_cfg=dict(),
        val_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.InstanceAP')),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3), clip_grad=dict(max_norm=1.0)),
        param_scheduler=dict(type='PolyLR', power=0.9, end=iterations, by_epoch=False),
        default_hooks=dict(checkpoint=None),
        randomness=dict(seed=seed),
        default_scope='mmseg',
        experiment_name=f'federated_{way}'.replace(' ', '_'),
        log_level='ERROR',
    )
    runner.train()
    scores = runner.val_loop.run()
    return {key: scores[f'discs/{key}'] for key in ('AP', 'AP50')}


def main() -> None:
    args = parse_args()
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        everything = draw(folder, 'train', args.images, args.seed + 1)
        federated = searched_in_part(everything, args.seed + 2)
        files = {'all marked': everything, 'lists': federated, 'no lists': without_lists(federated)}
        validation = draw(folder, 'val', args.images // 4, args.seed + 3)
        for name, content in {**files, 'val': validation}.items():
            (folder / f'{name}.json').write_text(json.dumps(content))
        for way in files:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                scores = train(folder, way, args.activation, args.iterations, args.seed)
            print(json.dumps(dict(way=way, activation=args.activation, **scores)), flush=True)


if __name__ == '__main__':
    main()
