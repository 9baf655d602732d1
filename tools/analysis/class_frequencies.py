"""Count how many training images hold each class, and show what weights and repeat factors come of it.

The weights are those of `model.decode_head.class_weights`, the factors those of `train_dataloader.sampler.repeat`; try
others with --cfg-options. What is written with --out spares a training the counting:
`MultiDataset(class_presence=FILE)`.

Examples:
    python tools/analysis/class_frequencies.py configs/lmseg/lmseg_r18_clash5.py
    python tools/analysis/class_frequencies.py configs/lmseg/lmseg_r18_clash5.py --out class_presence.json \
        --cfg-options train_dataloader.sampler.repeat=0.1 model.decode_head.class_weights.by=frequency
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common_arguments import ConfigOptions


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Count how many training images hold each class.')
    parser.add_argument('config', help='config file')
    parser.add_argument('--out', metavar='FILE', help='write which classes each image holds, as JSON')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config entries: key=value')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import numpy as np

from mmlmseg import cli
from mmlmseg.class_weights import ClassWeights
from mmlmseg.config import innermost, read_config
from mmlmseg.config_checks import check_overrides
from mmlmseg.datasets import MultiDataset
from mmlmseg.datasets.presence import frequencies_by_space
from mmlmseg.datasets.presence_file import write_presence
from mmlmseg.datasets.repeat import factors_of_classes, repeat_thresholds
from mmlmseg.label_space import LabelSpaces
from mmlmseg.visualization.contact_sheet import build_datasets


def table(dataset: MultiDataset, which: int, weights: Sequence[float] | None, threshold: float) -> str:
    """The classes of a dataset, the rarest first, with what each is held by, weighs and is repeated."""
    presence = dataset.presence[which]
    columns = ['class', 'images', 'share', 'weight', 'repeat']
    width = max(len(name) for name in (*presence.classes, columns[0]))
    lines = [
        f'{dataset.names[which]}: {dataset.sizes[which]} images',
        f'  {columns[0]:{width}}' + ''.join(f'{name:>9}' for name in columns[1:]),
    ]
    factors = factors_of_classes(presence, threshold)
    for label in np.argsort(presence.counts, kind='stable'):
        weight = '1' if weights is None else f'{weights[label]:.3g}'
        factor = f'{factors[label]:.3g}' if presence.counts[label] else '-'
        share = f'{100 * presence.frequencies[label]:.1f} %'
        lines.append(f'  {presence.classes[label]:{width}}{presence.counts[label]:>9}{share:>9}{weight:>9}{factor:>9}')
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        cfg = read_config(args.config)
        if args.cfg_options:
            check_overrides(cfg, args.cfg_options)
            cfg.merge_from_dict(args.cfg_options)
        dataset = build_datasets(cfg, 'train')  # without class_presence: it is counted anew
        dataset.skip_damaged = innermost(cfg.train_dataloader.dataset).get('skip_damaged', 0)
        spaces = {own[0].name: own[0] for own in dataset.spaces}
        weights = ClassWeights(cfg.model.decode_head.get('class_weights'), LabelSpaces(list(spaces.values())))
        weights.count(frequencies_by_space(dataset))
        thresholds = repeat_thresholds((cfg.train_dataloader.get('sampler') or {}).get('repeat'), dataset.names)
        for which, threshold in enumerate(thresholds):
            print(table(dataset, which, weights.of(dataset.spaces[which][0].name), threshold))
        if args.out:
            write_presence(dataset, args.out)
            print(f'wrote {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
