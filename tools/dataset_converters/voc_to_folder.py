#!/usr/bin/env python
"""Turns a folder in Pascal VOC's layout into one for ``mmlmseg.FolderDataset``.

    python tools/dataset_converters/voc_to_folder.py data/VOCdevkit/VOC2012 data/voc

reads ``JPEGImages``, ``SegmentationClass``, ``SegmentationObject`` and ``ImageSets/Segmentation``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='the folder that holds JPEGImages')
    parser.add_argument('out', type=Path, help='the folder to write, which must not be there')
    parser.add_argument(
        '--things', nargs='*', metavar='CLASS', help='the countable classes (default: with objects, all but background)'
    )
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg import cli
from mmlmseg.exchange.report import tell_folder
from mmlmseg.exchange.voc import convert_voc


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        tell_folder(convert_voc(args.source, args.out, args.things), args.out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
