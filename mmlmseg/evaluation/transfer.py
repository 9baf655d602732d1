"""Scores across label spaces: images of one, predicted in another, as far as the classes of the two correspond.

A predicted class counts as the true class that it is the same as, inside or a part of: in a space without windows, the
pixels of a window are labelled as the building. Pixels of true classes that no predicted one counts as are left out;
there the other space has no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import harmonic_mean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import LabelSpaceError
from ..label_space import LabelSpace
from ..relations import ResolvedRelations
from .confusion import Confusion
from .functional import ClassAreas, iou_scores

Counterparts = tuple[int | None, ...]
"""Of each predicted class the label of the true class that it counts as; None where there is none."""


def counterparts(relations: ResolvedRelations, truth: LabelSpace, prediction: LabelSpace) -> Counterparts:
    """What the classes of one label space count as in another; within one space, each as itself.

    Raises:
        LabelSpaceError: Where a class would count as two of them, or nothing is known of a label space.
    """
    if truth.name == prediction.name:
        return tuple(range(truth.num_classes))
    within = relations.same | relations.inside
    held = (within | (within.astype(int) @ relations.part_of @ within > 0))[
        np.ix_(_places(relations, prediction), _places(relations, truth))
    ]
    for label in np.flatnonzero(held.sum(1) > 1):
        first, second = (truth.classes[i] for i in np.flatnonzero(held[label])[:2])
        raise LabelSpaceError(
            f'relations: {prediction.name}:{prediction.classes[label]} would count as both {first} and {second} of '
            f'{truth.name}, which exclude each other; leave one'
        )
    return tuple(int(row.argmax()) if row.any() else None for row in held)


def _places(relations: ResolvedRelations, space: LabelSpace) -> range:
    places = relations.places(space.name)
    if not places:
        raise LabelSpaceError(f'no relations are known of the label space {space.name!r}')
    return places


@dataclass(frozen=True)
class Transfer:
    """How well images of a dataset are predicted in a label space.

    Attributes:
        dataset: Its name.
        confusion: Of its classes, and those of the label space that was asked.
        counts_as: What predicted classes count as.
    """

    dataset: str
    confusion: Confusion
    counts_as: Counterparts

    @cached_property
    def scored(self) -> Tensor:
        """Which true classes some predicted class counts as, bool [R]."""
        scored = torch.zeros(self.confusion.truth.num_classes, dtype=torch.bool)
        scored[[label for label in self.counts_as if label is not None]] = True
        return scored

    @cached_property
    def ious(self) -> Tensor:
        """Of each true class, double [R]; nan where it is not scored, or neither there nor predicted."""
        counts = torch.where(self.scored[:, None], self.confusion.counts, 0)  # [R, C]
        found = torch.zeros(len(counts), len(counts) + 1, dtype=torch.long)  # the last one counts as nothing
        place = torch.tensor([len(counts) if label is None else label for label in self.counts_as])
        found.index_add_(1, place, counts)
        found = found[:, :-1]
        ious = iou_scores(ClassAreas(found.diagonal(), found.sum(0), counts.sum(1))).per_class['IoU']
        return torch.where(self.scored, ious, torch.nan)

    @property
    def mean_iou(self) -> float | None:
        """Percent, over the classes that have a score; None where none has."""
        mean = float(self.ious.nanmean())
        return None if mean != mean else round(100 * mean, 2)

    @property
    def share(self) -> float:
        """The share of the annotated pixels whose classes are scored."""
        pixels = self.confusion.counts.sum(1)
        return float(pixels[self.scored].sum() / pixels.sum().clamp(min=1))

    def to_dict(self) -> dict[str, Any]:
        """Plain Python data; ``asked_by`` names the predicted classes that count as a class."""
        truth, prediction = self.confusion.truth, self.confusion.prediction
        pixels = self.confusion.counts.sum(1).tolist()
        classes = {
            name: dict(
                asked_by=[prediction.classes[i] for i, own in enumerate(self.counts_as) if own == label],
                IoU=None if iou != iou else round(100 * iou, 2),
                pixels=pixels[label],
            )
            for label, (name, iou) in enumerate(zip(truth.classes, self.ious.tolist(), strict=True))
        }
        return dict(
            dataset=self.dataset,
            label_space=prediction.name,
            mIoU=self.mean_iou,
            classes_scored=int(self.scored.sum()),
            classes_of_truth=truth.num_classes,
            share_of_pixels_scored=round(self.share, 4),
            images=self.confusion.images,
            classes=classes,
        )


def markdown(transfers: Sequence[Transfer]) -> str:
    """Tables: mIoU with a row a label space asked and a column a dataset; and the classes of each dataset.

    As in MSeg's tables, the last column is the harmonic mean of a row; it is left out where a dataset has no score, and
    compares rows only where they score the same classes.
    """
    datasets = [*dict.fromkeys(one.dataset for one in transfers)]
    spaces = [*dict.fromkeys(one.confusion.prediction.name for one in transfers)]
    by_cell = {(one.confusion.prediction.name, one.dataset): one for one in transfers}
    lines = ['| asked in | ' + ' | '.join(datasets) + ' | h. mean |', '|---|' + '---:|' * (len(datasets) + 1)]
    for space in spaces:
        row = [by_cell[space, dataset] for dataset in datasets]
        scores = [one.mean_iou for one in row]
        told = [score for score in scores if score is not None]
        mean = f'{harmonic_mean(told):.1f}' if len(told) == len(scores) else ''
        lines.append(f'| {space} | ' + ' | '.join(map(_cell, row)) + f' | {mean} |')
    lines += ['', 'mIoU in percent; in brackets the classes that are scored, and the share of pixels that they cover.']
    for dataset in datasets:
        column = [by_cell[space, dataset] for space in spaces]
        truth = column[0].confusion.truth
        lines += ['', f'## {dataset}', '', '| class | ' + ' | '.join(spaces) + ' |', '|---|' + '---:|' * len(spaces)]
        for label, name in enumerate(truth.classes):
            ious = [float(one.ious[label]) for one in column]
            lines.append(f'| {name} | ' + ' | '.join('' if iou != iou else f'{100 * iou:.1f}' for iou in ious) + ' |')
    return '\n'.join(lines) + '\n'


def _cell(one: Transfer) -> str:
    score = '-' if one.mean_iou is None else f'{one.mean_iou:.1f}'
    return f'{score} ({int(one.scored.sum())}/{len(one.scored)}, {one.share:.0%})'
