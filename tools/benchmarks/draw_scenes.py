#!/usr/bin/env python
"""Draw scenes as folder datasets of all their label spaces, with segments of things.

Each folder holds one label space. They share no training scene, but the validation scenes, so that these have truth in
all spaces at once.

Example:
    python tools/benchmarks/draw_scenes.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/halves/scenes'), help='where the folders go')
    parser.add_argument('--train', type=int, default=240, help='training scenes of each label space')
    parser.add_argument('--val', type=int, default=100, help='validation scenes')
    parser.add_argument('--size', type=int, nargs=2, default=(128, 160), metavar=('HEIGHT', 'WIDTH'), help='in pixels')
    parser.add_argument('--seed', type=int, default=0, help='of the series of scenes')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from rich.progress import track

from mmlmseg import cli
from mmlmseg.errors import OptionError
from mmlmseg.lab.scenes import SCENE_SPACES, write_folder_dataset


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        if min(args.train, args.val) < 1 or min(args.size) < 16:
            raise OptionError('--train and --val must be at least 1, --size at least 16 16')
        for number, space in enumerate(track(SCENE_SPACES, 'Drawing')):
            first = args.val + number * args.train
            train, val = range(first, first + args.train), range(args.val)
            write_folder_dataset(args.out / space, space, train, val, seed=args.seed, size=tuple(args.size))
        print(f'{args.out}: {", ".join(SCENE_SPACES)}; {args.train} scenes to train on each, {args.val} to validate on')
    return 0


if __name__ == '__main__':
    sys.exit(main())
