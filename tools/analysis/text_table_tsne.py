"""Plot the class names of a model by what it takes them to mean: t-SNE of its text table (paper, Figure 2).

The rows come from the checkpoint; neither text encoder nor dataset is needed.

Example:
    python tools/analysis/text_table_tsne.py configs/lmseg/lmseg_r18_clash5.py best.pth --out names.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Plot the class names of a model by what it takes them to mean.')
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--out', required=True, metavar='FIG', help='figure to write: .png, .pdf or .svg')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import torch
from torch import Tensor

from mmlmseg import cli
from mmlmseg.apis.model import build_model
from mmlmseg.config import read_config
from mmlmseg.errors import OptionError
from mmlmseg.lab.figures.text_map import plot_text_map, tsne
from mmlmseg.models.text import TextTable


@torch.no_grad()
def vocabulary_rows(table: TextTable) -> Tensor:
    """The rows of all class names of a table in evaluation mode, without the no-object row: [V, C]."""
    spaces = table.label_spaces
    rows = table.categories(spaces.names).rows  # [S, K_max + 1, C]
    by_name: dict[str, Tensor] = {}
    for space, group in zip(spaces, rows):
        for name, row in zip(space.names, group):
            by_name.setdefault(name, row)  # read otherwise in several spaces, a name is drawn as in the first
    return torch.stack([by_name[name] for name in spaces.vocabulary])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        table = build_model(read_config(args.config), args.checkpoint).decode_head.text
        if table is None:
            raise OptionError(f'{args.config}: the model has no text table; its classes are learned by index')
        positions = tsne(vocabulary_rows(table).numpy())
        source = table.encoder.expected or table.encoder.source()
        title = f'{len(positions)} class names by t-SNE of their text rows'
        kind = 'sentence bank' if source.encoder.startswith('sentence-transformers:') else 'text encoder'
        caption = f'{kind}: {source.encoder}, prompt {source.prompt!r}'
        plot_text_map(table.label_spaces, positions, args.out, title=title, caption=caption)
    print(f'wrote {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
