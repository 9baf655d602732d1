#!/usr/bin/env python
"""Turns YOLO's segmentation labels into annotation files in COCO's instance format, for ``mmlmseg.InstanceDataset``.

    python tools/dataset_converters/yolo_to_coco.py data/yard/data.yaml data/yard/annotations

reads the splits of a data.yaml, and writes ``train.json``, ``val.json`` and ``test.json`` of those there are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('description', type=Path, help='the data.yaml')
    parser.add_argument('out', type=Path, help='the folder of the annotation files to write')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg import cli
from mmlmseg.exchange.report import write_coco
from mmlmseg.exchange.yolo import read_yolo


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        for split, labels in read_yolo(args.description).items():
            # ultralytics puts the smaller of two objects on top.
            write_coco(labels, args.description.parent, args.out / f'{split}.json', overlaps='smaller')
    return 0


if __name__ == '__main__':
    sys.exit(main())
