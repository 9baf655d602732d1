"""What a model of many datasets gains and loses against models of one: class by class, with likely donors.

Each model is CONFIG:CHECKPOINT, or a file of counts that an earlier call left in its --out, which needs no model. A
dataset is compared with the first of --single that has it among its test datasets.

Examples:
    python tools/analysis/transfer.py --joint JOINT.py:joint.pth --single A.py:a.pth B.py:b.pth --out transfer
    python tools/analysis/transfer.py --joint transfer/joint.npz --single transfer/single_1.npz transfer/single_2.npz
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    model = 'CONFIG:CHECKPOINT, or a .npz of counts'
    parser.add_argument('--joint', required=True, metavar='MODEL', help=f'the model of all datasets: {model}')
    parser.add_argument(
        '--single', required=True, nargs='+', metavar='MODEL', help='the models of one, or another model'
    )
    parser.add_argument('--out', default='transfer', metavar='DIR', help='folder to write to (default: %(default)s)')
    parser.add_argument('--rate', type=float, default=0.05, help='of wrong verdicts among all (default: %(default)s)')
    parser.add_argument('--device', help='where to run (default: an accelerator if there is one)')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import json
import math
from collections import Counter
from functools import partial
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor

from mmlmseg import cli
from mmlmseg.apis.cross_space import CrossSpace
from mmlmseg.config import read_config
from mmlmseg.errors import OptionError
from mmlmseg.gains.counts import ImageCounts, count_images, read_counts, save_counts
from mmlmseg.gains.differences import RESAMPLES, decided, differences
from mmlmseg.gains.donors import likely_donors
from mmlmseg.gains.report import to_dict, to_html
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.text.bank import TextBankEncoder


def counts_of(model: str, file: Path, device: str | None) -> list[ImageCounts]:
    """The counts of a model on its test datasets; saved in a file, unless they are read from one."""
    if model.endswith('.npz'):
        return read_counts(model)
    config, colon, checkpoint = model.rpartition(':')
    if not colon:
        raise OptionError(f'{model}: write CONFIG:CHECKPOINT, or give a .npz of counts')
    asked = CrossSpace(read_config(config), checkpoint, device)
    found = [count_images(asked, name, partial(track, description=name, disable=None)) for name in asked.datasets]
    save_counts(file, found)
    return found


def embeddings_of(spaces: Sequence[LabelSpace]) -> dict[str, Tensor]:
    """The names of classes in the shipped text bank."""
    encoder = TextBankEncoder()
    names = [name for name in dict.fromkeys(name for space in spaces for name in space.names) if encoder.can_read(name)]
    return dict(zip(names, encoder.encode(names, torch.device('cpu'))))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    out = Path(args.out)
    with cli.one_line_errors():
        if not 0 < args.rate < 1:
            raise OptionError(f'--rate {args.rate}: a share between 0 and 1')
        given = {Path(model).resolve() for model in (args.joint, *args.single) if model.endswith('.npz')}
        made = [(args.joint, 'joint.npz'), *((own, f'single_{i}.npz') for i, own in enumerate(args.single, 1))]
        for model, file in made:
            if not model.endswith('.npz') and (out / file).resolve() in given:
                raise OptionError(f'--out {out}: {out / file}, which is given, would be overwritten; write elsewhere')
        joint = counts_of(args.joint, out / 'joint.npz', args.device)
        singles = [
            own
            for number, model in enumerate(args.single, 1)
            for own in counts_of(model, out / f'single_{number}.npz', args.device)
        ]
        by_name = {own.dataset: own for own in reversed(singles)}  # the first one counts
        met = [own for own in joint if own.dataset in by_name]
        if not met:
            raise OptionError(
                f'no dataset in common: {", ".join(own.dataset for own in joint)} of the joint model, '
                f'{", ".join(by_name)} of the others'
            )
        classes = sum(len(own.classes) for own in met)
        draws = max(RESAMPLES, math.ceil(2 * classes / args.rate))  # so that one clear class among all can be told
        found = decided([d for own in met for d in differences(own, by_name[own.dataset], draws)], args.rate)
        spaces = [LabelSpace.create(own.label_space, own.classes) for own in joint]
        donors = likely_donors(spaces, embeddings_of(spaces))
    named = {own.dataset: own.label_space for own in met}
    out.mkdir(parents=True, exist_ok=True)
    report = to_dict(found, named, donors)
    (out / 'transfer.json').write_text(json.dumps(report, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    (out / 'transfer.html').write_text(to_html(found, named, donors, args.rate), encoding='utf-8')
    told = Counter(own.verdict for own in found)
    counts = ', '.join(f'{told[kind]} {kind}' for kind in ('helped', 'hurt', 'undecided'))
    print(f'{out}/transfer.html, .json: {counts}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
