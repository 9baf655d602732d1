"""Tell what a training will take on this machine: time, memory, how often each dataset is seen. Takes about a minute.

Examples:
    python tools/plan.py configs/lmseg/lmseg_r18_clash5.py
    python tools/plan.py configs/resi/resi_r18_clash5.py --iterations 20000 --memory 24GB --json plan.json
    python tools/plan.py configs/lmseg/lmseg_r18_clash5.py --against work_dirs/lmseg_r18_clash5
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from common_arguments import ConfigOptions


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Tell what a training will take on this machine: time, memory, how often each dataset is seen. '
        'A part of it is run, which takes about a minute.'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--memory', metavar='24GB', help='find the largest batch for this memory (default: all there is)'
    )
    parser.add_argument('--iterations', type=int, metavar='N', help='length of the training; its schedule follows')
    parser.add_argument(
        '--device', choices=['cpu', 'cuda'], help='where to train (default: an accelerator if there is)'
    )
    parser.add_argument('--datasets', metavar='A,B', help='only these of the datasets of the config')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config entries: key=value')
    parser.add_argument('--json', metavar='FILE', help='write it for programs')
    parser.add_argument('--against', metavar='RUN', help='compare with this work directory of a training, made here')
    parser.set_defaults(launcher='none', local_rank=0, work_dir=None)
    args = parser.parse_args(argv)
    if args.json and (not Path(args.json).parent.is_dir() or Path(args.json).is_dir()):
        parser.error(f'{args.json}: cannot be written there; name a file in a folder that exists')
    if args.against and not Path(args.against).is_dir():
        parser.error(f'--against {args.against}: no such folder; give the work directory of a training')
    return args


if __name__ == '__main__':
    # --help and mistakes need not wait for the imports below; and libraries choose the device as they are imported.
    if parse_args().device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''

import json
from contextlib import redirect_stdout

import torch
from rich.console import Console

from mmlmseg import cli
from mmlmseg.errors import OptionError
from mmlmseg.planning import bytes_of, compare, measure, memory, predict, read_run, report


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    console = Console()
    with cli.one_line_errors():
        if args.device is not None and (args.device == 'cuda') != torch.cuda.is_available():
            raise OptionError(f'--device {args.device}: torch sees {"no" if args.device == "cuda" else "a"} GPU here')
        limit = memory.available() if args.memory is None else bytes_of(args.memory)
        with redirect_stdout(sys.stderr):
            cfg = cli.load_config(args)
            run = read_run(args.against, cfg.train_dataloader.get('batch_size')) if args.against else None
            plan = predict(measure(cfg), limit)
        compared = [] if run is None else compare(plan, run)
        report.show(plan, console)
        if compared:
            report.show_comparison(compared, console)
        if args.json:
            text = json.dumps(report.json_report(plan, compared), indent=1, ensure_ascii=False)
            Path(args.json).write_text(text + '\n', encoding='utf-8')
            console.print(f'wrote {args.json}', soft_wrap=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
