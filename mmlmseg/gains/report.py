"""The transfer report: from what models found to verdicts, class by class; as plain data for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from .counts import CountedModel
from .differences import RESAMPLES, Difference, Verdict, decided, differences
from .donors import Donor, Donors
from .pairing import LeftOut, Pair, pairs_of

VERSION = 1
"""Of the form in JSON; a later one adds keys, and gets another number where it changes or drops one."""
VERDICTS: tuple[Verdict, ...] = ('helped', 'hurt', 'undecided')


@dataclass(frozen=True)
class DatasetRow:
    """What became of a dataset; IoU in percent, the mean over the classes that were compared."""

    pair: Pair
    joint: float | None
    single: float | None
    verdicts: Mapping[str, int]
    left_out: int  # classes


@dataclass(frozen=True)
class Report:
    """What a joint model gains and loses.

    Attributes:
        joint: Its seeds.
        pairs: It and its rivals, by dataset.
        found: The classes of all datasets.
        left_out: Datasets and classes that were not compared.
        donors: Of the classes that were helped or hurt, by dataset and class.
        rate: The share of wrong ones among what is called helped or hurt.
        resamples: How many draws there were.
    """

    joint: Sequence[CountedModel]
    pairs: Sequence[Pair]
    found: Sequence[Difference]
    left_out: Sequence[LeftOut]
    donors: Mapping[tuple[str, str], Sequence[Donor]]
    rate: float
    resamples: int

    @property
    def rows(self) -> list[DatasetRow]:
        """One a dataset."""
        rows = []
        for pair in self.pairs:
            own = [one for one in self.found if one.dataset == pair.dataset]
            counts: dict[str, int] = {kind: sum(one.verdict == kind for one in own) for kind in VERDICTS}
            joint, single = (fmean(getattr(one, side) for one in own) if own else None for side in ('joint', 'single'))
            left_out = sum(one.dataset == pair.dataset for one in self.left_out)
            rows.append(DatasetRow(pair, joint, single, counts, left_out))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Plain Python data, described in docs/transfer.md."""
        return dict(
            version=VERSION,
            rate=self.rate,
            resamples=self.resamples,
            joint=dict(models=[model.name for model in self.joint], trained_on=list(self.joint[0].trained_on)),
            datasets=[_dataset(row) for row in self.rows],
            classes=[
                {
                    **{key: round(value, 4) if isinstance(value, float) else value for key, value in vars(own).items()},
                    'gain': round(own.gain, 4),
                    'donors': [asdict(donor) for donor in self.donors.get((own.dataset, own.name), ())],
                }
                for own in self.found
            ],
            left_out=[asdict(one) for one in self.left_out],
        )


def _dataset(row: DatasetRow) -> dict[str, Any]:
    pair = row.pair
    return dict(
        dataset=pair.dataset,
        label_space=pair.joint[0].label_space,
        images=len(pair.joint[0].images),
        single=dict(models=list(pair.single_names), trained_on=list(pair.trained_on)),
        mean_joint=None if row.joint is None else round(row.joint, 4),
        mean_single=None if row.single is None else round(row.single, 4),
        **row.verdicts,
        left_out=row.left_out,
    )


def make_report(joint: Sequence[CountedModel], single: Sequence[CountedModel], rate: float = 0.05) -> Report:
    """Compares a joint model with single ones.

    Args:
        joint: Its seeds.
        single: The others, each with one or more seeds.
        rate: See :func:`~mmlmseg.gains.differences.decided`.

    Raises:
        DataError: Where the models were counted on other data.
        OptionError: Where it is not clear which models stand against each other; see
            :func:`~mmlmseg.gains.pairing.pairs_of`.
    """
    pairs, left_out = pairs_of(joint, single)
    classes = sum(len(pair.joint[0].classes) for pair in pairs)
    resamples = max(RESAMPLES, math.ceil(2 * classes / rate))  # so that one clear class among all can be told
    found: list[Difference] = []
    for pair in pairs:
        own, without = differences(pair, resamples)
        found += own
        left_out += without
    found = decided(found, rate)
    return Report(joint, pairs, found, left_out, _donors(joint, pairs, found), rate, resamples)


def _donors(
    joint: Sequence[CountedModel], pairs: Sequence[Pair], found: Sequence[Difference]
) -> dict[tuple[str, str], list[Donor]]:
    """Of what changed, in the label spaces that only the joint model was trained on."""
    known = Donors(joint)
    by_name = {pair.dataset: pair for pair in pairs}
    told = {}
    for own in found:
        if own.verdict != 'undecided':
            pair = by_name[own.dataset]
            among = set(joint[0].trained_on) - set(pair.trained_on)
            told[own.dataset, own.name] = known.of(pair.joint[0].label_space, own.name, among)
    return told
