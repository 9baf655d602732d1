"""Peak memory of inference: many images beside few, many classes, many instances, a raster that is never read whole.

Models of random weights: memory does not depend on what they say. Each row is a process of its own.

Example:
    python tools/benchmarks/inference_memory.py --out work_dirs/memory.jsonl
    python tools/benchmarks/inference_memory.py --rows raster --raster 20000
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from mmlmseg.apis import LMSegInferencer
from mmlmseg.lab import speed

ROOT = Path(__file__).resolve().parents[2]


def built(num_classes: int, **test_cfg: Any) -> LMSegInferencer:
    """LMSeg with a ResNet-18 and one label space, of which every other class is a thing."""
    lines = (ROOT / 'tools' / 'text_bank_names.txt').read_text(encoding='utf-8').splitlines()
    names = [name for name in lines if name and name[0] != '#'][:num_classes]
    config = Config(dict(default_scope='mmseg', custom_imports=dict(imports=['mmlmseg'])))
    config.model = Config.fromfile(ROOT / 'configs' / '_base_' / 'models' / 'lmseg_r18.py').model
    config.model.decode_head.label_spaces = [dict(name='many', classes=names, things=names[::2])]
    config.model.test_cfg = test_cfg
    return LMSegInferencer(config, device='cpu')


def images(number: int, height: int, width: int) -> Iterator[np.ndarray]:
    """Frames of noise."""
    for i in range(number):
        yield np.random.default_rng(i).integers(0, 256, (height, width, 3), dtype=np.uint8)


def segment(inferencer: LMSegInferencer, number: int, height: int, width: int, task: str, **options: Any) -> None:
    """Takes results one by one and keeps none."""
    found = inferencer.iter(
        images(number, height, width), 'many', task=task, min_score=0.0, show_progress=False, **options
    )
    for result in found:
        result.shares()


def segment_raster(side: int, tile: int) -> None:
    """A raster of noise, in a file of 256 x 256 blocks."""
    import rasterio
    from rasterio.windows import Window

    from mmlmseg.apis.geotiff import segment_geotiff

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'raster.tif'
        profile = dict(driver='GTiff', count=3, height=side, width=side, dtype='uint8', crs='EPSG:32633')
        with rasterio.open(path, 'w', tiled=True, blockxsize=256, blockysize=256, **profile) as raster:
            block = np.random.default_rng(0).integers(1, 256, (3, 256, 256), dtype=np.uint8)
            for row in range(0, side, 256):
                for column in range(0, side, 256):
                    height, width = min(256, side - row), min(256, side - column)
                    raster.write(block[:, :height, :width], window=Window(column, row, width, height))
        segment_geotiff(built(19), path, Path(folder) / 'out.tif', 'many', tiles=dict(size=(tile, tile), overlap=128))


def play(row: str, args: argparse.Namespace) -> None:
    """One row, in this process."""
    if row in ('few', 'many'):
        segment(built(19), dict(few=2, many=20)[row], 1000, 1500, 'instance')
    elif row == 'classes':
        segment(built(1203), 1, 3000, 4000, 'semantic', tiles=dict(size=(1024, 1024)))
    elif row == 'instances':
        segment(built(19), 1, 3000, 4000, 'instance', tiles=dict(size=(1024, 1024)))
    elif row == 'raster':
        segment_raster(args.raster, args.tile)


WHAT = dict(
    few='instances of 2 images of 1000x1500',
    many='instances of 20 images of 1000x1500',
    classes='1203 classes at 3000x4000, in tiles of 1024',
    instances='up to 100 instances a tile at 3000x4000, in tiles of 1024',
    raster='classes of a GeoTIFF, read and written by windows',
    model='the model alone',
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', nargs='+', default=['model', 'few', 'many', 'classes', 'instances'], choices=WHAT)
    parser.add_argument('--raster', type=int, default=4000, help='height and width of the raster')
    parser.add_argument('--tile', type=int, default=1024, help='of the raster')
    speed.add_arguments(parser, rounds=1, repeats=1)
    args = parser.parse_args()
    if args.side is None:
        given = ['--raster', args.raster, '--tile', args.tile, '--threads', args.threads]
        for row in args.rows:
            before = os.getloadavg()[0]
            figures = speed.in_turn({row: given}, 1)[row]
            sizes = dict(raster=args.raster, tile=args.tile) if row == 'raster' else {}
            line = dict(row=WHAT[row], **{k: round(v, 1) for k, v in figures.items()}, **sizes, load=round(before, 2))
            print(json.dumps(line), flush=True)
            if args.out is not None:
                with args.out.open('a', encoding='utf-8') as file:
                    file.write(json.dumps(line) + '\n')
        return
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if args.side == 'model':
        built(19)
    print(json.dumps(speed.measure(lambda: play(args.side, args), 1, warmup=0)))


if __name__ == '__main__':
    main()
