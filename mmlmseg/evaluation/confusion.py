"""Confusion matrices: which classes are found where the truth says which, in its own label space or in another.

Within a label space the matrix tells what is taken for what. Across two it tells which of their classes correspond:
images of one dataset, predicted in the label space of another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import DataError, OptionError, errors_of
from ..label_space import LabelSpace
from ..segments import ignore_index_of
from .functional import joint_histogram
from .metrics.common import source


@dataclass(frozen=True)
class Confusion:
    """How many pixels of each true class were found as each class: R true classes, C predicted ones."""

    truth: LabelSpace
    prediction: LabelSpace
    counts: Tensor  # long [R, C], on the host
    ignored: int  # pixels that nobody annotated
    images: int

    @property
    def shares(self) -> Tensor:
        """Of each true class the share of its pixels that was found as each class, double [R, C]; nan without truth."""
        return self.counts.double() / self.counts.sum(1, keepdim=True)

    def best(self, number: int) -> list[tuple[str, int, list[tuple[str, float]]]]:
        """Of each true class its pixels, and the classes that it is found as most, with their shares."""
        shares, order = self.shares.nan_to_num(0).sort(dim=1, descending=True, stable=True)
        found = [
            [(self.prediction.classes[c], share) for c, share in zip(own, values) if share][:number]
            for own, values in zip(order.tolist(), shares.tolist(), strict=True)
        ]
        return list(zip(self.truth.classes, self.counts.sum(1).tolist(), found, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain Python data: rows of ``counts`` are true classes, columns predicted ones."""
        spaces = dict(truth=self.truth, prediction=self.prediction)
        described = {key: dict(label_space=s.name, classes=list(s.classes)) for key, s in spaces.items()}
        return dict(described, counts=self.counts.tolist(), ignored_pixels=self.ignored, images=self.images)


def confusion_of(model: Any, batches: Iterable[dict[str, Any]], truth: LabelSpace, asked: LabelSpace) -> Confusion:
    """Predicts images in one label space of a model; see :func:`confusions_of`."""
    (confusion,) = confusions_of(model, batches, truth, [asked])
    return confusion


@torch.no_grad()
def confusions_of(
    model: Any,
    batches: Iterable[dict[str, Any]],
    truth: LabelSpace,
    asked: Sequence[LabelSpace],
    free: Collection[LabelSpace] = (),
) -> list[Confusion]:
    """Predicts images in label spaces, each alone, and compares them with truth in the same or another one.

    Images are loaded once for all label spaces.

    Args:
        model: A segmentor whose task is ``semantic``.
        batches: Of a test dataloader, each sample with ``gt_sem_seg``.
        truth: The label space of the truth.
        asked: The label spaces to predict in.
        free: Those that the model was not trained on, which are asked by their class names.

    Raises:
        DataError: Naming the file where there is no truth, or it does not fit.
        OptionError: Where there is no image.
    """
    counts = [torch.zeros(truth.num_classes, space.num_classes, dtype=torch.long) for space in asked]
    ignored, images = 0, 0
    for batch in batches:
        for place, space in enumerate(asked):
            for sample in batch['data_samples']:
                sample.set_metainfo(dict(label_spaces=(space if space in free else space.name,)))
            for sample in model.test_step(batch):
                with errors_of(source(sample.metainfo)):
                    own, left_out = _compared(sample, truth.num_classes, space.num_classes)
                counts[place] += own
                ignored += left_out if place == 0 else 0
        images += len(batch['data_samples'])
    if not images:
        raise OptionError(f'no image of label space {truth.name!r} to compare')
    return [Confusion(truth, space, own, ignored, images) for space, own in zip(asked, counts, strict=True)]


def _compared(sample: Any, num_classes: int, num_predicted: int) -> tuple[Tensor, int]:
    """The counts of an image, and how many pixels nobody annotated."""
    if 'gt_sem_seg' not in sample:
        raise DataError('has no gt_sem_seg to compare with; add LoadAnnotations to the test pipeline')
    label, found = sample.gt_sem_seg.data.cpu(), sample.pred_sem_seg.data.cpu()
    counts = joint_histogram(found, label, num_classes, ignore_index_of(num_classes), num_predicted=num_predicted)
    return counts, label.numel() - int(counts.sum())


def sorted_columns(counts: Tensor) -> Sequence[int]:
    """Columns of a matrix [R, C] in the order of the row that each meets most, so that what corresponds is diagonal.

    Columns that meet none come last.

    Example:
        >>> sorted_columns(torch.tensor([[0, 0, 9], [7, 0, 1]]))
        [2, 0, 1]
    """
    rows = counts.argmax(0).masked_fill(counts.sum(0) == 0, len(counts))
    order: list[int] = rows.argsort(stable=True).tolist()
    return order
