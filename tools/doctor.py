"""Look at datasets before a training does: read everything once, and tell all that is wrong with it.

Examples:
    python tools/doctor.py data/streets data/shop
    python tools/doctor.py configs/lmseg/lmseg_r18_clash5.py --html report.html
    python tools/doctor.py data/parts/instances.json --json report.json --fail-on warning
    python tools/doctor.py data/streets --json | jq .summary
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Look at datasets: read everything once, and tell all that is wrong with it. '
        'The exit status is 0 where nothing is, 1 where something is, and 2 where the command line is at fault.'
    )
    parser.add_argument(
        'targets', nargs='*', help="configs, folders of datasets, or annotation files in COCO's formats"
    )
    parser.add_argument('--html', metavar='FILE', help='write a report with pictures and charts, one HTML file')
    parser.add_argument(
        '--json', metavar='FILE', nargs='?', const='-', help='write a report for programs; without FILE to the output'
    )
    parser.add_argument('--workers', type=int, metavar='N', help='threads that read (default: one a processor)')
    parser.add_argument(
        '--fail-on',
        choices=['error', 'warning', 'note', 'never'],
        default='error',
        help='the least finding that makes the exit status 1 (default: error)',
    )
    args = parser.parse_args(argv)
    if args.json is not None and (Path(args.json).is_dir() or args.json.endswith('.py')):  # meant: --json, and a target
        args.targets, args.json = [args.json, *args.targets], '-'
    if not args.targets:
        parser.error('name a config, a folder of a dataset, or an annotation file')
    if args.workers is not None and args.workers < 1:
        parser.error('--workers: at least one thread has to read')
    for file in filter(None, (args.html, args.json if args.json != '-' else None)):
        if not Path(file).parent.is_dir() or Path(file).is_dir():
            parser.error(f'{file}: cannot be written there; name a file in a folder that exists')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import json
import logging
from contextlib import redirect_stdout

import cv2
from mmengine.logging import MMLogger
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mmlmseg import cli
from mmlmseg.doctor import Examination, examine, html_report, json_report, sources_of
from mmlmseg.doctor.findings import SEVERITIES, at_least, counted

_COLOURS = dict(error='bold red', warning='yellow', note='cyan')
_LINES = 3  # cases of a finding that are printed


def show(examination: Examination, console: Console) -> None:
    """Print what was read, and what was found."""
    table = Table('dataset', 'split', 'images', 'classes', 'not annotated')
    for one in examination.examined:
        classes = ', '.join(f'{sum(c.pixels > 0 for c in n.classes)}/{len(n.classes)}' for n in one.counts)
        ignored = ', '.join('' if count.background else f'{count.ignore_share:.1%}' for count in one.counts)
        table.add_row(one.source.name, one.source.split, str(len(one.samples)), classes, ignored)
    console.print(table)
    for finding in examination.findings:
        head = f'[{_COLOURS[finding.severity]}]{finding.severity}[/] [bold]{finding.code}[/]'
        console.print(head, end=' ')
        console.print(f'{finding.dataset}: {finding.what}', markup=False, soft_wrap=True)
        for case in finding.cases[:_LINES]:
            console.print(f'    {case.what}', markup=False, soft_wrap=True, highlight=False)
        if (rest := len(finding.cases) - _LINES) > 0:
            console.print(f'    and {rest} more', markup=False)
        console.print(f'    -> {finding.advice}', markup=False, soft_wrap=True, style='dim')
    summary = ', '.join(counted(sum(f.severity == s for f in examination.findings), s) for s in SEVERITIES)
    speed = examination.images / max(examination.seconds, 1e-3)
    console.print(f'{examination.images} images in {examination.seconds:.1f} s ({speed:.0f} a second): {summary}')


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    console = Console(stderr=args.json == '-')
    cv2.setNumThreads(1)  # samples are read side by side
    with (
        cli.one_line_errors(),
        redirect_stdout(sys.stderr),
    ):  # datasets may print, and JSON is read by programs
        MMLogger.get_current_instance().setLevel(logging.ERROR)  # what datasets warn of is among the findings
        sources = sources_of(args.targets)
        columns = (TextColumn('reading'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task('', total=sum(len(source.samples) for source in sources))
            examination = examine(sources, args.workers, lambda done: progress.advance(task, done))
    show(examination, console)
    if args.html:
        Path(args.html).write_text(html_report(examination), encoding='utf-8')
        console.print(f'wrote {args.html}', soft_wrap=True)
    if args.json:
        text = json.dumps(json_report(examination), indent=1, ensure_ascii=False)
        if args.json == '-':
            print(text)
        else:
            Path(args.json).write_text(text + '\n', encoding='utf-8')
            console.print(f'wrote {args.json}', soft_wrap=True)
    return int(args.fail_on != 'never' and bool(at_least(examination.findings, args.fail_on)))


if __name__ == '__main__':
    sys.exit(main())
