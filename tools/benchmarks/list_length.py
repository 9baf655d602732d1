"""What does a model lose when a class list grows by names that are not in the images' truth.

Each test dataset is asked in its own classes, in these and the names of all other label spaces of the model, and in
these and names of a file. A pixel that is called by an added name is wrong. Not added are names that would be right
answers, as they are the same as a class, inside, around or a part of it by what names tell; nor those of all that a
list does not name, such as `background`. With `--guided-by-own` a decoder that reads the list (category-guided
decoding) reads the dataset's own classes of it alone, so that what is still lost is lost in the classification.

Example:
    python tools/benchmarks/list_length.py configs/lmseg/lmseg_r18_clash5.py best.pth --out list_length.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAMES = Path(__file__).resolve().parents[1] / 'text_bank_names.txt'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config that the model was trained with')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument(
        '--names', default=NAMES, metavar='FILE', help='a name a line (default: those of the shipped bank)'
    )
    parser.add_argument(
        '--classes', type=int, default=1203, metavar='N', help='length of the longest list (default: %(default)s)'
    )
    parser.add_argument('--images', type=int, metavar='N', help='of each dataset, evenly spaced (default: all)')
    parser.add_argument('--guided-by-own', action='store_true', help='guide the decoder by the own classes alone, too')
    parser.add_argument('--out', required=True, metavar='FILE', help='write the scores here, as JSON')
    parser.add_argument('--device', help='e.g. cpu or cuda:0; by default an accelerator if there is one')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import json
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmlmseg import cli
from mmlmseg.apis.cross_space import CrossSpace
from mmlmseg.config import read_config
from mmlmseg.errors import OptionError
from mmlmseg.evaluation.transfer import Transfer
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.structures import Categories
from mmlmseg.models.text.bank import read_names
from mmlmseg.models.text.strangers import strangers
from mmlmseg.names import normalise_name

LISTS = ('own classes', 'and all other label spaces', 'and names of the file')
GUIDED = ', guided by own classes'


def longer(space: LabelSpace, names: Sequence[str]) -> LabelSpace:
    """The space with further classes behind its own."""
    return LabelSpace.create(f'{space.name}-and-{len(names)}', [*space.classes, *names])


@contextmanager
def guided_by_first(decoder: torch.nn.Module, classes: int) -> Iterator[None]:
    """Lets a decoder read the first so many classes of a list alone; what queries are classified as stays."""

    def cut(_: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(_first(one, classes) if isinstance(one, Categories) else one for one in args)

    handle = decoder.register_forward_pre_hook(cut)
    try:
        yield
    finally:
        handle.remove()


def _first(categories: Categories, classes: int) -> Categories:
    kept = torch.zeros_like(categories.valid[:, :-1])  # [B, K]
    kept[:, :classes] = True
    return categories.restricted(kept)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """By dataset and list, the number of names, mIoU over the dataset's classes, and the share of wrong new names."""
    if args.images is not None and args.images < 1:
        raise OptionError(f'--images {args.images}: at least one image of each dataset is asked')
    offered = read_names(args.names)
    model = CrossSpace(read_config(args.config), args.checkpoint, args.device)
    text = getattr(model.inferencer.model.decode_head, 'text', None)
    if text is None:
        raise OptionError(f'{args.config}: the model reads no class names; no list can be longer than its own')
    readable = [name for name in offered if text.encoder.can_read(normalise_name(name)[0])]
    spaces = model.inferencer.label_spaces
    found: dict[str, Any] = {}
    for dataset in model.datasets:
        own = spaces.get(model.space(dataset).name)
        others = strangers(own, (name for space in spaces if space.name != own.name for name in space.names))
        free = strangers(own, readable)
        room = args.classes - own.num_classes
        if not 0 < room <= len(free):
            raise OptionError(
                f'--classes {args.classes}: {dataset} has {own.num_classes} of its own, and {len(free)} names of '
                f'{args.names} can stand beside them'
            )
        chosen = [free[i * len(free) // room] for i in range(room)]  # evenly spaced, as they are sorted
        asked = [own, longer(own, others), longer(own, chosen)]
        confusions = model.confusions(dataset, asked, args.images, partial(track, description=dataset, disable=None))
        found[dataset] = {
            name: _result(dataset, confusion, own) for name, confusion in zip(LISTS, confusions, strict=True)
        }
        if args.guided_by_own:
            with guided_by_first(model.inferencer.model.decode_head.decoder, own.num_classes):
                confusions = model.confusions(dataset, asked[1:], args.images)
            for name, confusion in zip(LISTS[1:], confusions, strict=True):
                found[dataset][name + GUIDED] = _result(dataset, confusion, own)
    return found


def _result(dataset: str, confusion: Any, own: LabelSpace) -> dict[str, Any]:
    names = confusion.counts.shape[1]
    itself = (*range(own.num_classes), *[None] * (names - own.num_classes))
    strange = confusion.counts[:, own.num_classes :].sum() / confusion.counts.sum().clamp(min=1)
    return dict(names=names, mIoU=Transfer(dataset, confusion, itself).mean_iou, strange=round(100 * float(strange), 2))


def show(found: dict[str, Any], console: Console) -> None:
    """Print mIoU of each dataset under each list, and the mean."""
    table = Table('class list', *found, 'mean', 'pixels called by an added name')
    for name in next(iter(found.values())):
        rows = [own[name] for own in found.values()]
        scores = [f'{row["mIoU"]:.1f} ({row["names"]})' for row in rows]
        means = [statistics.fmean(row[key] for row in rows) for key in ('mIoU', 'strange')]
        table.add_row(name, *scores, f'{means[0]:.1f}', f'{means[1]:.1f} %')
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        found = measure(args)
    report = dict(config=args.config, checkpoint=Path(args.checkpoint).name, images=args.images, datasets=found)
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(report, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    show(found, Console())
    return 0


if __name__ == '__main__':
    sys.exit(main())
