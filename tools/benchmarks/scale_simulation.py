"""Simulate how long ranks wait for the slowest of them, when datasets have crops of unlike size.

Drawn from the real samplers for every rank and grouped by the real ``group_sizes``, with the crops and datasets of the
paper's four. A rank's step takes as long as it has pixels, padding included, and a step takes as long as its slowest
rank; communication, loading, and what does not grow with pixels are left out. Nothing is trained.

Example:
    python tools/benchmarks/scale_simulation.py --ranks 8 64 512
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from functools import cache
from itertools import islice

import numpy as np

from mmlmseg.config import parts_of, read_config
from mmlmseg.datasets import DatasetPerRankSampler, PerImageSampler, SameDatasetSampler
from mmlmseg.datasets.samplers import DatasetSampler
from mmlmseg.lab.benchmark.spec import BASES
from mmlmseg.models.data_preprocessor import Size, group_sizes

CONFIG = BASES.parent / 'lmseg/lmseg_clip-r50_ade20k-cityscapes-cocostuff10k-mapillary.py'
IMAGES = dict(ade20k=20_210, cityscapes=2_975, cocostuff10k=9_000, mapillary=18_000)  # of the training splits
SAMPLERS = dict(PerImage=PerImageSampler, SameDataset=SameDatasetSampler, DatasetPerRank=DatasetPerRankSampler)


class Sizes:
    """Stands in for the joint dataset: names and numbers of images."""

    names, sizes = list(IMAGES), list(IMAGES.values())

    def __len__(self) -> int:
        return sum(self.sizes)


def draws(kind: str, rank: int, ranks: int, batch: int) -> Iterator[list[int]]:
    """The datasets of a rank's batches, step by step."""
    own = {} if kind == 'PerImage' else dict(batch_size=batch)
    sampler: DatasetSampler = SAMPLERS[kind](Sizes(), seed=0, **own)
    sampler.rank, sampler.world_size = rank, ranks
    ends = np.cumsum(Sizes.sizes)
    indices = iter(sampler)
    while True:
        yield [int(np.searchsorted(ends, index, side='right')) for index in islice(indices, batch)]


def simulate(kind: str, ranks: int, batch: int, steps: int, crops: list[Size], max_padding: float) -> dict[str, float]:
    """Utilisation of all ranks, and megapixels of a step on average and on the slowest rank."""

    @cache
    def pixels(sizes: tuple[Size, ...]) -> int:
        return sum(len(members) * h * w for (h, w), members in group_sizes(sizes, 32, max_padding))

    cost = np.array(
        [
            [
                pixels(tuple(crops[dataset] for dataset in step))
                for step in islice(draws(kind, rank, ranks, batch), steps)
            ]
            for rank in range(ranks)
        ]
    )  # [ranks, steps]
    slowest = cost.max(0)
    return dict(
        utilisation=cost.mean() / slowest.mean(), mean_mp=cost.mean() / 1e6, slowest_mp=slowest.mean() / 1e6,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--ranks', type=int, nargs='+', default=[8, 32, 128, 512])
    parser.add_argument('--batch', type=int, nargs='+', default=[2, 8], help='images of a rank')
    parser.add_argument('--steps', type=int, default=200)
    args = parser.parse_args()
    cfg = read_config(CONFIG)
    max_padding = cfg.model.data_preprocessor.get('max_padding', 0.15)
    parts = parts_of(cfg.train_dataloader.dataset)
    crops = [
        next(tuple(s.crop_size) for s in part.pipeline if s.type == 'mmlmseg.RandomCrop') for part in parts.values()
    ]
    lines, table = [], ['| images a rank | sampler | ' + ' | '.join(f'{n} ranks' for n in args.ranks) + ' |']
    table.append('|---' * (len(args.ranks) + 2) + '|')
    for batch in args.batch:
        for kind in SAMPLERS:
            found = [simulate(kind, ranks, batch, args.steps, crops, max_padding) for ranks in args.ranks]
            for ranks, figures in zip(args.ranks, found):
                rounded = {key: round(float(value), 3) for key, value in figures.items()}
                lines.append(dict(sampler=kind, ranks=ranks, batch=batch, steps=args.steps, **rounded))
            shares = ' | '.join(f'{own["utilisation"]:.0%}' for own in found)
            table.append(f'| {batch} | `{kind}Sampler` | {shares} |')
    print(*table, *map(json.dumps, lines), sep='\n')


if __name__ == '__main__':
    main()
