"""The options that training and testing have in common, under the names OpenMMLab gives them.

They stand outside of the package, since importing it takes seconds, and ``--help`` shall not.
"""

from __future__ import annotations

import argparse
from typing import Any


class ConfigOptions(argparse.Action):
    """mmengine's reading of ``key=value`` pairs, imported when there are some."""

    def __call__(self, parser: argparse.ArgumentParser, *arguments: Any) -> None:
        """Writes a dict of the pairs."""
        from mmengine.config import DictAction

        DictAction(self.option_strings, self.dest)(parser, *arguments)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options to a parser."""
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='where checkpoints go, by default work_dirs/CONFIG[_DATASETS][_ITERATIONS]')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        help='override config entries: key=value, nested.key=value, key="[a,b]" (quotes needed, no blanks)',
    )
    parser.add_argument('--datasets', metavar='A,B', help='only these of the datasets of the config')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='how the processes were started'
    )
    # torch.distributed.launch passes this one, spelt either way.
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0, help=argparse.SUPPRESS)
