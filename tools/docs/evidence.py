"""Write the tables of docs/evidence.md anew, from the lines and files of docs/results. The words between them stay.

Example:
    python tools/docs/evidence.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--page', default='docs/evidence.md', help='the page to write (default: %(default)s)')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg.cli import one_line_errors
from mmlmseg.lab.evidence import fill


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    page = Path(parse_args(argv).page)
    with one_line_errors():
        page.write_text(fill(page.read_text(encoding='utf-8')), encoding='utf-8')
    print(f'wrote {page}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
