"""Ask every test dataset in every label space: mIoU as far as the classes of the two correspond.

A label space that the model was not trained on is asked by its class names, zero-shot. Which classes correspond is
declared by a file of relations, or told by their names (docs/audit.md).

Example:
    python tools/cross_space.py configs/lmseg/lmseg_r18_clash5.py best.pth --images 20 --out cross_space
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the model; its test datasets are predicted')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--relations', metavar='FILE', help='which classes correspond (default: what names tell)')
    parser.add_argument('--images', type=int, metavar='N', help='of each dataset, evenly spaced (default: all)')
    parser.add_argument('--out', default='cross_space', metavar='DIR', help='folder to write to (default: %(default)s)')
    parser.add_argument('--device', help='where to run (default: an accelerator if there is one)')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import json
from functools import partial
from pathlib import Path

from rich.progress import track

from mmlmseg import cli
from mmlmseg.apis.cross_space import CrossSpace
from mmlmseg.audit import claims_of_names, declared
from mmlmseg.config import read_config
from mmlmseg.errors import OptionError
from mmlmseg.evaluation.transfer import Transfer, counterparts, markdown
from mmlmseg.lab.figures.transfer import plot_transfers
from mmlmseg.relations import Relations, resolve


def measure(args: argparse.Namespace) -> None:
    """Write the tables of all datasets in all label spaces."""
    if args.images is not None and args.images < 1:
        raise OptionError(f'--images {args.images}: at least one image of each dataset is asked')
    given = Relations.from_config(args.relations)
    model = CrossSpace(read_config(args.config), args.checkpoint, args.device)
    spaces = model.all_spaces
    relations = resolve(given if args.relations else declared(claims_of_names(spaces)), spaces)
    mapped = {
        (name, asked.name): counterparts(relations, model.space(name), asked)
        for name in model.datasets
        for asked in spaces
    }
    found = []
    for name in model.datasets:
        shown = partial(track, description=name, disable=None)
        for confusion in model.confusions(name, spaces, args.images, shown):
            found.append(Transfer(name, confusion, mapped[name, confusion.prediction.name]))
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    said = dict(
        config=args.config,
        checkpoint=args.checkpoint,
        relations=args.relations or 'of names',
        trained=list(model.inferencer.label_spaces.names),
        results=[one.to_dict() for one in found],
    )
    (out / 'cross_space.json').write_text(json.dumps(said, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    text = markdown(found)
    (out / 'cross_space.md').write_text(text, encoding='utf-8')
    plot_transfers(found, out / 'cross_space.png', title='mIoU in every label space (classes scored)')
    print(text.split('\n## ')[0])
    print(f'wrote {out / "cross_space.json"}, .md and .png')


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        measure(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
