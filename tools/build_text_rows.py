"""Write the text rows of a class list, for models exported with --text-input.

Examples:
    python tools/build_text_rows.py CONFIG WEIGHTS --classes "sky, house, motorbike" --out mine.npy
    python tools/build_text_rows.py CONFIG WEIGHTS --label-space camvid11 --out camvid11.json
    python tools/build_text_rows.py CONFIG WEIGHTS --names tools/text_bank_names.txt --out every_name.json

A .json holds {"classes": [...], "rows": [[...], ...]}; a .npy the rows, beside a .txt with a name a line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Write the text rows of a class list.')
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='its weights')
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument('--label-space', metavar='NAME', help='the classes of this label space of the model')
    asked.add_argument('--classes', metavar='LIST', help='these classes, e.g. "sky, house, motorbike"')
    asked.add_argument('--names', metavar='FILE', help='the names of a text file, one a line')
    parser.add_argument('--out', required=True, metavar='FILE', help='a .npy or .json file')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg import cli
from mmlmseg.apis import LMSegInferencer
from mmlmseg.export.rows import check_ending, save_rows, text_rows
from mmlmseg.models.text.bank import read_names


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        check_ending(args.out)
        classes = args.classes if args.names is None else read_names(args.names)
        inferencer = LMSegInferencer(args.config, args.checkpoint, device='cpu')
        (space,) = inferencer.question(args.label_space, classes).spaces
        rows = text_rows(inferencer.model, space)
        save_rows(args.out, space.classes, rows)
    print(f'{args.out}: {rows.shape[0]} rows of {rows.shape[1]} numbers')
    return 0


if __name__ == '__main__':
    sys.exit(main())
