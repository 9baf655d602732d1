"""What a model of many datasets gains and loses against models of one: class by class, with likely donors.

Each model is CONFIG:CHECKPOINT, or a file of counts that an earlier call left in its --out, which needs no model. Every
dataset of --joint is compared with the models of --single that are tested on it. Several models that differ in their
seeds stand for one, of which the mean counts.

Examples:
    python tools/analysis/transfer.py --joint JOINT.py:joint.pth --single A.py:a.pth --single B.py:b.pth --out transfer
    python tools/analysis/transfer.py --joint transfer/joint_1.npz --single transfer/single_1.npz transfer/single_2.npz
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    model = 'CONFIG:CHECKPOINT, or a .npz of counts'
    several = dict(required=True, nargs='+', action='extend', metavar='MODEL')
    parser.add_argument('--joint', **several, help=f'the model of all datasets, or its seeds: {model}')
    parser.add_argument('--single', **several, help='the models of one, or other models')
    parser.add_argument('--out', default='transfer', metavar='DIR', help='folder to write to (default: %(default)s)')
    parser.add_argument('--rate', type=float, default=0.05, help='of wrong verdicts among all (default: %(default)s)')
    parser.add_argument('--images', type=int, metavar='N', help='so many images of each dataset, evenly spaced')
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
from mmlmseg.errors import OptionError
from mmlmseg.gains.archive import read_counts, save_counts
from mmlmseg.gains.counts import CountedModel, count_model
from mmlmseg.gains.pairing import grouped
from mmlmseg.gains.report import VERDICTS, Report, make_report
from mmlmseg.gains.report_html import to_html


def counted(models: Sequence[str], role: str, args: argparse.Namespace) -> list[CountedModel]:
    """The counts of models, read from their files, or made and saved."""
    found = []
    for number, model in enumerate(models, 1):
        if model.endswith('.npz'):
            found.append(read_counts(model))
            continue
        config, _, checkpoint = model.rpartition(':')
        asked = CrossSpace(read_config(config), checkpoint, args.device)
        found.append(count_model(asked, model, args.images, partial(shown, f'{role} {number}')))
        save_counts(file_of(args, role, number), found[-1])
    return found


def shown(what: str, batches: Iterable[Any], dataset: str) -> Iterable[Any]:
    """Show how far the batches of a dataset are."""
    return track(batches, f'{what}: {dataset}', disable=None)


def file_of(args: argparse.Namespace, role: str, number: int) -> Path:
    """Where the counts of a model are saved."""
    return Path(args.out, f'{role}_{number}.npz')


def check(args: argparse.Namespace) -> None:
    """Refuse what cannot be before the first model is counted."""
    if not 0 < args.rate < 1:
        raise OptionError(f'--rate {args.rate}: a share between 0 and 1')
    given = [*args.joint, *args.single]
    if args.images is not None and args.images < 1:
        raise OptionError(f'--images {args.images}: a number from 1 on')
    if args.images is not None and all(model.endswith('.npz') for model in given):
        raise OptionError(f'--images {args.images}: {", ".join(given)} are counted already; leave it out')
    files = {Path(model).resolve() for model in given if model.endswith('.npz')}
    for role, models in (('joint', args.joint), ('single', args.single)):
        for number, model in enumerate(models, 1):
            if model.endswith('.npz'):
                continue
            if ':' not in model:
                raise OptionError(f'{model}: write CONFIG:CHECKPOINT, or give a .npz of counts')
            if (file := file_of(args, role, number)).resolve() in files:
                raise OptionError(f'--out {args.out}: {file}, which is given, would be overwritten; write elsewhere')


def show(report: Report) -> None:
    """Print a row a dataset, and what was not compared."""
    table = Table('dataset', 'images', 'joint', 'single', *VERDICTS, 'left out')
    for row in report.rows:
        means = ['-' if iou is None else f'{iou:.1f}' for iou in (row.joint, row.single)]
        counts = [str(n) for n in (*row.verdicts.values(), row.left_out)]
        table.add_row(row.pair.dataset, str(len(row.pair.joint[0].images)), *means, *counts)
    Console().print(table)
    for pair in report.pairs:
        if pair.trained_on != (pair.joint[0].label_space,):
            print(f'the single model of {pair.dataset} was trained on {", ".join(pair.trained_on)}')
    for (dataset, why), classes in grouped(report.left_out).items():
        print(f'not compared: {dataset}: {why}{": " if classes else ""}{", ".join(classes)}')


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    out = Path(args.out)
    with cli.one_line_errors():
        check(args)
        joint, single = counted(args.joint, 'joint', args), counted(args.single, 'single', args)
        report = make_report(joint, single, args.rate)
    out.mkdir(parents=True, exist_ok=True)
    told = json.dumps(report.to_dict(), indent=1, ensure_ascii=False)
    (out / 'transfer.json').write_text(told + '\n', encoding='utf-8')
    (out / 'transfer.html').write_text(to_html(report), encoding='utf-8')
    show(report)
    counts = ', '.join(f'{sum(own.verdict == kind for own in report.found)} {kind}' for kind in VERDICTS)
    print(f'{out}/transfer.html, .json: {counts}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
