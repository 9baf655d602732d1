"""Segment a GeoTIFF of any size at its own resolution; what is written has its georeference.

Needs rasterio: pip install "mmlmseg[geo]"

Examples:
    python tools/predict_geotiff.py my_config.py best.pth town.tif classes.tif --label-space camvid11
    python tools/predict_geotiff.py my_config.py best.pth town.tif roofs.tif --classes "roof, tree" --task panoptic
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Segment a GeoTIFF with an mmlmseg model.')
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('raster', help='GeoTIFF to segment')
    parser.add_argument('out', help='GeoTIFF to write')
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument('--label-space', metavar='NAME', help='predict in this label space of the model')
    asked.add_argument('--classes', metavar='LIST', help='predict these classes instead, e.g. "roof, street, tree"')
    parser.add_argument('--task', default='semantic', help='semantic (default), panoptic or instance')
    parser.add_argument(
        '--tiles',
        type=int,
        nargs=2,
        metavar=('SIZE', 'OVERLAP'),
        help='default: 1024 128, or what of it is made of whole cells of the model',
    )
    parser.add_argument(
        '--bands',
        type=int,
        nargs='+',
        metavar='BAND',
        help='those that the model sees, from 1 (default: as the dataset of the label space declares, else 1 2 3)',
    )
    parser.add_argument(
        '--read-as',
        metavar='NAME',
        help='read the raster as the images of this label space (default: of the one asked)',
    )
    parser.add_argument('--device', help='e.g. cpu or cuda:0; by default an accelerator if there is one')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg import cli
from mmlmseg.apis import LMSegInferencer
from mmlmseg.apis.geotiff import segment_geotiff


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        written = segment_geotiff(
            LMSegInferencer(args.config, args.checkpoint, args.device),
            args.raster,
            args.out,
            args.label_space,
            args.classes,
            task=args.task,
            tiles=None if args.tiles is None else dict(size=(args.tiles[0],) * 2, overlap=args.tiles[1]),
            bands=args.bands,
            read_as=args.read_as,
        )
    print(f'Wrote {written}.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
