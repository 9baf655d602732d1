"""Measure which classes are found where the truth says which: confusion matrices as .json and .png.

Within a label space they show what is taken for what. Images of one dataset, predicted in the label space of another,
show which classes of the two correspond.

Examples:
    python tools/analysis/confusion.py configs/lmseg/lmseg_r18_clash5.py best.pth --out confusion
    python tools/analysis/confusion.py configs/lmseg/lmseg_r18_clash5.py best.pth --dataset camvid11 \\
        --label-space labelmefacade --out confusion
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Measure which classes are found where the truth says which.')
    parser.add_argument('config', help='config of the model; its test datasets are predicted')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--dataset', metavar='A', help='only this test dataset (default: each of them)')
    parser.add_argument('--label-space', metavar='B', help="the label space to predict in (default: the dataset's own)")
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for A_in_B.json and A_in_B.png')
    parser.add_argument('--device', help='where to run (default: an accelerator if there is one)')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import json
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmlmseg import cli
from mmlmseg.apis.cross_space import CrossSpace
from mmlmseg.config import read_config
from mmlmseg.evaluation.confusion import Confusion
from mmlmseg.lab.figures.confusion import plot_confusion


def show(confusion: Confusion, title: str) -> None:
    """Print what each true class is found as most."""
    table = Table('true class', 'pixels', 'found as', title=title)
    for name, pixels, found in confusion.best(3):
        table.add_row(name, f'{pixels:,}', ', '.join(f'{other} {share:.0%}' for other, share in found) or '-')
    Console().print(table)


def measure(args: argparse.Namespace) -> None:
    """Write the matrices of the chosen datasets."""
    config = read_config(args.config)
    model = CrossSpace(config, args.checkpoint, args.device)
    for name in [args.dataset] if args.dataset else model.datasets:
        found = model.confusion(name, args.label_space, track=partial(track, description=name, disable=None))
        title = f'{name} in {found.prediction.name}'
        path = Path(args.out, f'{name}_in_{found.prediction.name}.json')
        path.parent.mkdir(parents=True, exist_ok=True)
        said = dict(dataset=name, config=args.config, checkpoint=args.checkpoint, **found.to_dict())
        path.write_text(json.dumps(said, ensure_ascii=False) + '\n', encoding='utf-8')
        plot_confusion(found, path.with_suffix('.png'), title=title)
        show(found, title)
        print(f'wrote {path} and {path.with_suffix(".png").name}')


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        measure(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
