"""Compare label spaces: which of their classes are the same, inside or part of each other, or clash.

Examples:
    python tools/audit.py data/streets data/facades data/scenes --html audit.html
    python tools/audit.py configs/lmseg/lmseg_r18_clash5.py --weights best.pth --relations relations.yml
    python tools/audit.py ADE20KDataset CityscapesDataset --json audit.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Compare label spaces: which of their classes are the same, inside or part of each other, or clash.'
    )
    parser.add_argument(
        'targets', nargs='+', help="configs, folders of datasets, annotation files in COCO's formats, dataset types"
    )
    parser.add_argument('--weights', metavar='FILE', help='of the only target, a config: what the model finds is told')
    parser.add_argument('--images', type=int, default=50, help='predict so many of each dataset (default: 50)')
    parser.add_argument('--device', help='where to run the model (default: an accelerator if there is one)')
    parser.add_argument('--html', metavar='FILE', help='write a page with matrices and pictures')
    parser.add_argument('--json', metavar='FILE', help='write it for programs')
    parser.add_argument('--relations', metavar='FILE', help='write what is claimed as relations.yml, to be looked over')
    args = parser.parse_args(argv)
    if args.weights and len(args.targets) > 1:
        parser.error('--weights: give one target, the config of the model')
    if args.images < 1:
        parser.error('--images: at least one')
    for file in filter(None, (args.html, args.json, args.relations)):
        if not Path(file).parent.is_dir() or Path(file).is_dir():
            parser.error(f'{file}: cannot be written there; name a file in a folder that exists')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import json
from itertools import groupby

from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from rich.console import Console
from rich.progress import track

from mmlmseg import cli
from mmlmseg.apis.cross_space import CrossSpace
from mmlmseg.audit import Claim, claims_of_names, judged, suggested
from mmlmseg.audit.pictures import class_pictures
from mmlmseg.audit.relations_file import relations_file
from mmlmseg.audit.report_html import COLOURS, SIGNS, html_report
from mmlmseg.audit.report_json import json_report
from mmlmseg.config import read_config
from mmlmseg.doctor import sources_of
from mmlmseg.doctor.building import Source
from mmlmseg.doctor.findings import SEVERITIES
from mmlmseg.errors import OptionError
from mmlmseg.evaluation.confusion import Confusion
from mmlmseg.label_space import LabelSpace


def read_targets(targets: Sequence[str]) -> tuple[list[LabelSpace], list[Source]]:
    """The label spaces of targets, each once, and their datasets as far as they are here."""
    spaces: dict[str, LabelSpace] = {}
    sources: list[Source] = []
    for target in targets:
        if not Path(target).exists() and target in DATASETS.module_dict:
            spaces.setdefault((own := LabelSpace.from_dataset(target)).name, own)
            continue
        found = sources_of([target])
        for source in found:
            if not source.spaces:
                raise OptionError(why_unread(source))
        sources += found
        for space in (space for source in found for space in source.spaces):
            if spaces.setdefault(space.name, space).classes != space.classes:
                raise OptionError(
                    f'two datasets call their label space {space.name!r}, but have other classes; rename one'
                )
    if len(spaces) < 2:
        raise OptionError(f'only the label space {", ".join(spaces)} is there; name at least two')
    return [*spaces.values()], sources


def why_unread(source: Source) -> str:
    """Why a dataset could not be built, and what to do: the worst that was found, and where first."""
    worst = min(source.findings, key=lambda finding: SEVERITIES.index(finding.severity))
    first = f', first {worst.cases[0].what}' if worst.cases else ''
    return f'{worst.dataset}: {worst.what}{first}; {worst.advice} (mmlmseg doctor tells all)'


def ask(args: argparse.Namespace) -> dict[tuple[str, str], Confusion]:
    """What a model finds of each test dataset in each label space."""
    model = CrossSpace(read_config(args.targets[0]), args.weights, args.device)
    found: dict[tuple[str, str], Confusion] = {}
    for dataset in track(model.datasets, 'asking the model', disable=None):
        for confusion in model.confusions(dataset, [*model.inferencer.label_spaces], args.images):
            found.setdefault((confusion.truth.name, confusion.prediction.name), confusion)
    return found


def show(claims: Sequence[Claim], console: Console) -> None:
    """Print the claims, those of two label spaces together."""
    for pair, own in groupby(claims, key=lambda claim: {claim.first.space, claim.second.space}):
        console.print(f'[bold]{" and ".join(sorted(pair))}')
        for claim in own:
            shares = ' and '.join('?' if share is None else f'{share:.0%}' for share in claim.found)
            found = '' if claim.found == (None, None) else f'; found as each other {shares} {claim.verdict}'
            console.print(f'  [{COLOURS[claim.kind]}]{claim.kind.replace("_", " "):8}[/]', end='')
            why = f'{claim.first} {SIGNS[claim.kind]} {claim.second}   ({claim.why}{found.rstrip()})'
            console.print(why, markup=False, soft_wrap=True, highlight=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    console = Console()
    with cli.one_line_errors():
        init_default_scope('mmseg')
        spaces, sources = read_targets(args.targets)
        claims, suggestions = claims_of_names(spaces), []
        if args.weights:
            confusions = ask(args)
            claims, suggestions = judged(claims, confusions), suggested(claims, confusions)
        show(claims, console)
        if suggestions:
            console.print('[bold]What only the model says')
            show(suggestions, console)
        pages = {
            args.html: lambda: html_report(spaces, claims, suggestions, class_pictures(sources)),
            args.json: lambda: json.dumps(json_report(spaces, claims, suggestions), indent=1) + '\n',
            args.relations: lambda: relations_file(claims),
        }
        for file, text in pages.items():
            if file is not None:
                Path(file).write_text(text(), encoding='utf-8')
                console.print(f'wrote {file}', soft_wrap=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
