"""Train one model on small datasets whose label spaces clash, and see what it says in each of them.

Without arguments the data are scenes that the demo draws itself; ``--data a,b,c`` takes your folders, each with
images/, labels/, classes.json, train.txt and val.txt.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

CONFIG = Path(__file__).resolve().parents[1] / 'configs' / 'demo' / 'lmseg_demo.py'


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', help='folders of your own, separated by commas')
    parser.add_argument('--work-dir', default='work_dirs/demo', help='where everything goes (default: %(default)s)')
    parser.add_argument('--iterations', type=int, help="length of the training (default: the config's)")
    parser.add_argument(
        '--scenes', type=int, default=160, help='scenes to draw per training set (default: %(default)s)'
    )
    return parser.parse_args()


def main() -> None:
    """Runs the demo."""
    arguments = parse_arguments()
    console, start = Console(file=sys.stdout), time.monotonic()  # a file of its own: libraries are sent to the log
    console.print('loading libraries ...')
    from mmlmseg.lab.demo import draw_data, read_data, run_demo

    work_dir = Path(arguments.work_dir)
    if arguments.data:
        data = read_data(arguments.data.split(','), held_out=6)
    else:
        console.print(f'drawing scenes into {work_dir / "data"} ...', highlight=False)
        data = draw_data(work_dir / 'data', train=arguments.scenes, val=20, held_out=20)
    run_demo(CONFIG, data, work_dir, console, arguments.iterations)
    console.print(f'done in {(time.monotonic() - start) / 60:.1f} minutes', highlight=False)


if __name__ == '__main__':
    main()
