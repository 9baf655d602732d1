#!/usr/bin/env python
"""Turns "CVAT for images 1.1" into an annotation file in COCO's instance format, for ``mmlmseg.InstanceDataset``.

    python tools/dataset_converters/cvat_to_coco.py data/task/annotations.xml data/task/instances.json

reads the export of a task, a job or a project, with the images in the folder ``images`` beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('files', type=Path, nargs='+', help='the XML files, several of the jobs of a task, say')
    parser.add_argument('out', type=Path, help='the annotation file to write')
    parser.add_argument('--images', type=Path, help='the folder of the images (default: images/ beside the first file)')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg import cli
from mmlmseg.exchange.cvat import read_cvat
from mmlmseg.exchange.report import write_coco


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns its exit status."""
    args = parse_args(argv)
    images = args.images or args.files[0].parent / 'images'
    with cli.one_line_errors():
        write_coco(read_cvat(args.files, images), images, args.out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
