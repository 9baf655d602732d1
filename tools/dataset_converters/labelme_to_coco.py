#!/usr/bin/env python
"""Turns labelme's JSON files into an annotation file in COCO's instance format, for ``mmlmseg.InstanceDataset``.

    python tools/dataset_converters/labelme_to_coco.py data/yard data/yard/instances.json

reads all JSON files below a folder, with the images beside them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, help='the folder of the JSON files')
    parser.add_argument('out', type=Path, help='the annotation file to write')
    parser.add_argument('--images', type=Path, help='the folder of the images (default: that of the JSON files)')
    parser.add_argument(
        '--classes', type=Path, help="labelme's labels.txt, a name a line in the order of the ids (default: alphabet)"
    )
    parser.add_argument('--save-images', action='store_true', help='write images that only their JSON file holds')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg import cli
from mmlmseg.exchange.labelme import read_labelme
from mmlmseg.exchange.labels import read_lines
from mmlmseg.exchange.report import write_coco


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        classes = list(filter(None, read_lines(args.classes))) if args.classes else None
        labels = read_labelme(args.folder, args.images, classes, args.save_images)
        write_coco(labels, args.images or args.folder, args.out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
