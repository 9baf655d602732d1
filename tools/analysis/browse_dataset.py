"""Show samples of each dataset of a config as the model sees them: after augmentation, beside their labels.

Examples:
    python tools/analysis/browse_dataset.py configs/lmseg/lmseg_r18_clash5.py --out-dir out
    python tools/analysis/browse_dataset.py configs/lmseg/lmseg_r18_clash5.py --out-dir out --split val
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Show samples of each dataset of a config as the model sees them.')
    parser.add_argument('config', help='config file')
    parser.add_argument('--out-dir', required=True, metavar='DIR', help='write DIR/NAME.png for each dataset')
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train', help='default: train')
    parser.add_argument('--dataset', metavar='NAME', help='only this one of the datasets')
    parser.add_argument('--number', type=int, default=8, metavar='N', help='samples of each dataset (default: 8)')
    parser.add_argument('--seed', type=int, default=0, help='of choice and augmentation (default: 0)')
    args = parser.parse_args(argv)
    if args.number < 1:
        parser.error('--number: show at least one sample')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from PIL import Image

from mmlmseg import cli
from mmlmseg.config import read_config
from mmlmseg.visualization.contact_sheet import build_datasets, contact_sheet


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    out_dir = Path(args.out_dir)
    with cli.one_line_errors():
        dataset = build_datasets(read_config(args.config), args.split, args.dataset)
        out_dir.mkdir(parents=True, exist_ok=True)
        for name, size in zip(dataset.names, dataset.sizes, strict=True):
            target = out_dir / f'{name}.png'
            Image.fromarray(contact_sheet(dataset, name, args.number, args.seed)).save(target)
            print(f'wrote {target}: {min(args.number, size)} of {size} {args.split} samples')
    return 0


if __name__ == '__main__':
    sys.exit(main())
