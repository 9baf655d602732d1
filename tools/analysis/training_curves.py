"""Plot what trainings logged: a panel per value, a line per run. Resumed runs are joined.

Examples:
    python tools/analysis/training_curves.py work_dirs/lmseg_r18_clash5 --out curves.png
    python tools/analysis/training_curves.py work_dirs/a work_dirs/b --keys loss camvid11/mIoU --smooth 500 --out ab.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Plot what trainings logged: a panel per value, a line per run.')
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', help='work directories of trainings')
    parser.add_argument(
        '--keys', nargs='+', default=['loss', 'mean/mIoU'], help='what to plot (default: loss mean/mIoU)'
    )
    parser.add_argument('--out', required=True, metavar='FIG', help='figure to write: .png, .pdf or .svg')
    parser.add_argument(
        '--smooth', type=float, default=0, metavar='ITERATIONS', help='width of a running mean (default: none)'
    )
    args = parser.parse_args(argv)
    if args.smooth < 0:
        parser.error('--smooth: a width cannot be negative')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg import cli
from mmlmseg.lab.figures.curves import plot_training_curves, read_scalars, run_names


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        names = run_names(args.work_dirs)
        runs = {name: read_scalars(folder) for name, folder in zip(names, args.work_dirs, strict=True)}
        plot_training_curves(runs, args.keys, args.out, smooth=args.smooth)
    for name, logged in runs.items():
        if missing := [key for key in args.keys if key not in logged]:
            print(f'{name} did not log {", ".join(missing)}')
    print(f'wrote {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
