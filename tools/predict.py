"""Segment images in one of a model's label spaces, or for any list of classes.

Examples:
    python tools/predict.py configs/lmseg/lmseg_r18_clash5.py best.pth photos/ --label-space camvid11 --out-dir out
    python tools/predict.py configs/lmseg/lmseg_r18_clash5.py best.pth 'photos/*.jpg' --classes "sky, house, motorbike"
    python tools/predict.py configs/lmseg/lmseg_r18_clash5.py best.pth photos/ --label-spaces camvid11,msrc_v2
    python tools/predict.py configs/lmseg/lmseg_r18_clash5.py best.pth photos/ --label-space ccp --coco prelabels.json
    python tools/predict.py configs/lmseg/lmseg_r18_clash5.py best.pth --list-label-spaces
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Segment images with an mmlmseg model.')
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('inputs', nargs='*', help='images, folders or globs')
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument('--label-space', metavar='NAME', help='predict in this label space of the model')
    asked.add_argument('--label-spaces', metavar='A,B', help='predict in several at once, with masks that may overlap')
    asked.add_argument('--classes', metavar='LIST', help='predict these classes instead, e.g. "sky, house, motorbike"')
    asked.add_argument('--list-label-spaces', action='store_true', help='show what the model knows, and stop')
    parser.add_argument('--task', help='semantic (default), panoptic or instance; mixed with --label-spaces')
    parser.add_argument(
        '--exclusive',
        default='',
        metavar='GROUPS',
        help='label spaces and classes that share their pixels, e.g. "camvid11; ccp+msrc_v2:face" (default: each '
        'label space is a group)',
    )
    parser.add_argument(
        '--min-score', type=float, help='least score of instances (default: that from which pictures show them)'
    )
    parser.add_argument(
        '--max-per-image', type=int, metavar='N', help="most instances of an image or tile (default: the model's)"
    )
    parser.add_argument(
        '--tiles',
        type=int,
        nargs='+',
        metavar='PIXELS',
        help='read larger images in tiles of this size, which overlap by a second number (default: 128), e.g. 1024 256',
    )
    parser.add_argument(
        '--read-as', metavar='NAME', help='read the images as those of this label space (default: of the one asked for)'
    )
    parser.add_argument('--out-dir', metavar='DIR', help='save predictions (pred/) and pictures (vis/) here')
    parser.add_argument(
        '--coco', metavar='FILE', help="save all masks as one annotation file in COCO's format, for annotation tools"
    )
    parser.add_argument('--device', help='e.g. cpu or cuda:0; by default an accelerator if there is one')
    parser.add_argument('--batch-size', type=int, default=1, help='images per forward pass (default: 1)')
    args = parser.parse_args(argv)
    if args.tiles is not None and len(args.tiles) > 2:
        parser.error(f'--tiles takes a size and an overlap, not {len(args.tiles)} numbers; put the images before it')
    if not args.inputs and not args.list_label_spaces:
        parser.error('name at least one image, folder or glob (or --list-label-spaces)')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from rich.console import Console
from rich.table import Table

from mmlmseg import cli
from mmlmseg.apis import LMSegInferencer
from mmlmseg.apis.coco_results import CocoResults
from mmlmseg.apis.inputs import expand_inputs
from mmlmseg.exchange.coco import common_folder
from mmlmseg.label_space import LabelSpaces
from mmlmseg.visualization import percentage


def show_label_spaces(spaces: LabelSpaces, console: Console) -> None:
    """Print the classes of each label space."""
    table = Table('label space', 'classes', 'names')
    for space in spaces:
        table.add_row(space.name, str(space.num_classes), ', '.join(space.classes))
    console.print(table)


def split(text: str, separator: str) -> list[str]:
    """The parts of a text, without blanks around them and without empty ones."""
    return [part.strip() for part in text.split(separator) if part.strip()]


def tiles_of(args: argparse.Namespace) -> dict[str, Any] | None:
    """``--tiles SIZE [OVERLAP]`` as the inferencer takes it."""
    if args.tiles is None:
        return None
    size, *overlap = args.tiles
    return dict(size=(size, size), **(dict(overlap=overlap[0]) if overlap else {}))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    console = Console()
    with cli.one_line_errors():
        inferencer = LMSegInferencer(args.config, args.checkpoint, args.device)
        if args.list_label_spaces:
            show_label_spaces(inferencer.label_spaces, console)
            return 0
        inputs = expand_inputs(args.inputs)
        coco = CocoResults(common_folder(path for path in inputs if isinstance(path, Path))) if args.coco else None
        results = inferencer.iter(
            inputs,
            args.label_space,
            args.classes,
            args.batch_size,
            args.out_dir,
            label_spaces=split(args.label_spaces, ',') if args.label_spaces is not None else None,
            task=args.task,
            exclusive=[split(group, '+') for group in split(args.exclusive, ';')],
            tiles=tiles_of(args),
            max_per_image=args.max_per_image,
            read_as=args.read_as,
            **({} if args.min_score is None else dict(min_score=args.min_score)),
        )
        table = Table('image', 'classes found')
        for result in results:  # of which none is kept
            found = ', '.join(f'{name} {percentage(share)}' for name, share in result.shares())
            table.add_row(result.path.name if result.path else '', found or 'nothing above the thresholds')
            if coco is not None:
                coco.add(result)
        if coco is not None:
            coco.save(args.coco)
    console.print(table)
    if args.coco:
        console.print(f'Saved the masks to {args.coco}.', soft_wrap=True)
    if args.out_dir:
        console.print(f'Saved predictions to {args.out_dir}/pred and pictures to {args.out_dir}/vis.', soft_wrap=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
