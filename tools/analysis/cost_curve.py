"""Plot mean score against total training cost, one line per compared method (paper, Figure 6).

Example:
    python tools/analysis/cost_curve.py comparison.json --out cost.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Plot mean score against total training cost.')
    parser.add_argument('results', help='JSON of a comparison of methods, with the keys "curves" and "metric"')
    parser.add_argument('--out', required=True, metavar='FIG', help='figure to write: .png, .pdf or .svg')
    parser.add_argument('--title', default='', help='written above the figure')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg import cli
from mmlmseg.lab.figures.curves import plot_cost_curves, read_cost_curves


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        curves, metric = read_cost_curves(args.results)
        plot_cost_curves(curves, args.out, y_label=f'mean {metric} over datasets (%)', title=args.title)
    print(f'wrote {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
