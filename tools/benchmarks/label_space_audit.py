#!/usr/bin/env python
"""Judge the audit of label spaces by the taxonomy that MSeg's authors made by hand (Lambert et al., CVPR 2020).

A row of their table is a concept, its cells the classes of each dataset that show it. Of two datasets, classes are the
same that stand in the same rows, and one is inside the other whose rows are some of the other's. Classes that the table
leaves out, and cells of several classes, tell nothing. Half of the pairs of datasets served to make the lexicon, the
other half is the test.

Where the authors drew masks anew (the columns "-relabeled"), a row has no cell of the original class although that
shows it too: a rider is inside ADE20K's person. "strict" counts claims about such rows as wrong; "told" does not
count them.

Example:
    python tools/benchmarks/label_space_audit.py data/mseg_taxonomy/MSeg_master.tsv
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description='Judge the audit of label spaces by the taxonomy of MSeg.')
    parser.add_argument('table', help='MSeg_master.tsv')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg import cli
from mmlmseg.audit import Claim, claims_of_names
from mmlmseg.label_space import LabelSpace
from mmlmseg.names import name_key
from mmlmseg.taxonomy import UNLABELLED, read_members, read_table

DATASETS = (
    'mapillary-public65', 'coco-panoptic-133', 'ade20k-150', 'idd-39', 'cityscapes-34', 'bdd', 'scannet-37',
    'sunrgbd-37', 'voc2012', 'camvid-11', 'pascal-context-60',
)  # fmt: skip
NOTHING = ('background', 'unlabeled', 'void', 'other')
KINDS = ('same', 'inside')

Rows = frozenset[int]
Pair = tuple[str, str]


class Table:
    """MSeg's table: in which rows each class of a dataset stands."""

    def __init__(self, path: str) -> None:
        _, self.rows = read_table(Path(path))
        self.left_out = {i for i, row in enumerate(self.rows) if row['universal'].strip().lower() in UNLABELLED}
        self.cells = {name: [read_members(row[name]) for row in self.rows] for name in DATASETS}

    def classes(self, dataset: str) -> dict[str, Rows]:
        """The rows of each class that the table keeps and that has a row alone or with others."""
        found: dict[str, set[int]] = defaultdict(set)
        for row, names in enumerate(self.cells[dataset]):
            for name in names:
                found[name].add(row)
        return {name: frozenset(own) for name, own in found.items()}

    def relabelled(self, dataset: str) -> Rows:
        """The rows that only masks drawn anew show."""
        again = f'{dataset}-relabeled'
        drawn = {i for i, row in enumerate(self.rows) if row.get(again, '').strip() and not self.cells[dataset][i]}
        return frozenset(drawn - self.left_out)

    def truth(self, a: str, b: str) -> dict[Pair, str | None]:
        """What the table says of two classes: ``same``, ``<``, ``>``; None where that they meet tells nothing."""
        told: dict[Pair, str | None] = {}
        for (one, mine), (other, theirs) in product(self.classes(a).items(), self.classes(b).items()):
            if not mine & theirs or self.silent(one, mine) or self.silent(other, theirs):
                continue
            shared = [any(len(self.cells[d][row]) > 1 for row in own) for d, own in ((a, mine), (b, theirs))]
            if shared == [False, False]:
                told[one, other] = (
                    'same' if mine == theirs else '<' if mine < theirs else '>' if mine > theirs else None
                )
            else:  # where a cell holds several classes, each shows a part of the row
                told[one, other] = (
                    '<' if shared == [True, False] and mine <= theirs
                    else '>' if shared == [False, True] and theirs <= mine
                    else None
                )  # fmt: skip
        return told

    def silent(self, name: str, rows: Rows) -> bool:
        """Whether the table says nothing of a class."""
        return bool(rows & self.left_out) or name.lower() in NOTHING


def space_of(dataset: str, names: Iterable[str]) -> tuple[LabelSpace, list[str]]:
    """A label space of a dataset's classes, with the names in the table; of two that read alike only the first."""
    words = {name: re.sub(r'(?<=[a-z])(?=[A-Z])', ' ', name) for name in names}
    kept: dict[str, str] = {}
    for name, shown in words.items():
        kept.setdefault(name_key(shown), name)
    return LabelSpace.create(dataset, [words[name] for name in kept.values()]), [*kept.values()]


def proposals(table: Table, a: str, b: str) -> dict[Pair, str]:
    """What the audit says."""
    (one, mine), (other, theirs) = (space_of(name, table.classes(name)) for name in (a, b))
    said: dict[Pair, str] = {}
    for claim in claims_of_names([one, other]):
        first_is_a = claim.first.space == a
        x, y = (claim.first, claim.second) if first_is_a else (claim.second, claim.first)
        if (sign := _sign(claim, first_is_a)) is not None:
            said[mine[x.label], theirs[y.label]] = sign
    return said


def _sign(claim: Claim, first_is_a: bool) -> str | None:
    return {'same': 'same', 'inside': '<' if first_is_a else '>'}.get(claim.kind)


def judge(table: Table, pairs: Sequence[Pair], strict: bool) -> Mapping[str, tuple[float, float]]:
    """Precision and recall of each kind of claim over pairs of datasets."""
    counts: Counter[tuple[str, str]] = Counter()
    for a, b in pairs:
        truth, said = table.truth(a, b), proposals(table, a, b)
        rows, again = [table.classes(d) for d in (a, b)], [table.relabelled(d) for d in (a, b)]
        for pair, sign in said.items():
            mine, theirs = (own[name] for own, name in zip(rows, pair))
            told = truth.get(pair, 'apart')
            if told is None or table.silent(pair[0], mine) or table.silent(pair[1], theirs):
                continue
            kind = 'same' if sign == 'same' else 'inside'
            open_to = mine <= theirs | again[1] if sign != '>' else True
            open_to = open_to and (theirs <= mine | again[0] if sign != '<' else True)
            if told != sign and not strict and open_to and (mine | theirs) & (again[0] | again[1]):
                continue
            counts[kind, 'said'] += 1
            counts[kind, 'right'] += told == sign
        for told in filter(None, truth.values()):
            counts['same' if told == 'same' else 'inside', 'true'] += 1
    shares = {k: [counts[k, 'right'] / max(counts[k, of], 1) for of in ('said', 'true')] for k in KINDS}
    return {kind: (precision, recall) for kind, (precision, recall) in shares.items()}


def halves() -> tuple[list[Pair], list[Pair]]:
    """The pairs of datasets that served to make the lexicon, and the others."""
    pairs = [*combinations(DATASETS, 2)]
    random.Random(0).shuffle(pairs)
    return pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        table = Table(args.table)
        for name, pairs in zip(('made with', 'test'), halves()):
            for strict in (True, False):
                found = judge(table, pairs, strict)
                said = ', '.join(f'{kind} {p:.3f} / {r:.3f}' for kind, (p, r) in found.items())
                print(f'{name:10}{"strict" if strict else "told":7}{len(pairs)} pairs, precision / recall: {said}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
