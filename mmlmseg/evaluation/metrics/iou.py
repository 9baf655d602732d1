"""Mean IoU of semantic predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...errors import DataError
from ...registry import METRICS
from ...segments import BACKGROUND, ignore_index_of
from ..definitions import Kind
from ..functional import ClassAreas, class_areas, iou_scores
from .common import ClassMetric, percent, source

_DEFINITIONS = {
    'IoU': 'intersection over union of the pixels of all images together, ignored ones left out, as mmseg.IoUMetric',
    'mIoU': 'mean over the classes of intersection over union, pixels of all images together, as mmseg.IoUMetric; a '
    'class that is only predicted counts as 0',
    'mAcc': 'mean over the classes of the share of their true pixels that is found, as mmseg.IoUMetric',
    'aAcc': 'share of all annotated pixels that are right, as mmseg.IoUMetric',
}


@METRICS.register_module()
class SemanticIoU(ClassMetric):
    """``mIoU``, ``mAcc`` and ``aAcc`` in percent, rounded to two decimals like mmseg's ``IoUMetric``; ``IoU.tree``, ...

    The numbers are those of ``IoUMetric``; areas are counted in integers, so they stay exact on large datasets, and a
    label outside the label space is an error instead of being dropped. All scores follow from the formulas of
    :mod:`mmlmseg.evaluation.functional.iou`.

    Args:
        ignore_index: Label of the pixels that do not count, by default :func:`~mmlmseg.segments.ignore_index_of`.
        **kwargs: ``collect_device`` and ``prefix`` of :class:`ClassMetric`.
    """

    headline_key = 'mIoU'
    class_score = 'IoU'

    @classmethod
    def result_keys(cls) -> tuple[str, ...]:
        """Means over the classes, and the accuracy over all pixels."""
        return ('mIoU', 'mAcc', 'aAcc')

    def define(self, score: str) -> tuple[Kind, str]:
        """All are those of mmseg."""
        return 'comparable', _DEFINITIONS[score]

    def __init__(self, ignore_index: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_index = ignore_index

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the areas, long [3, K], of each sample; a DataError names the file of what is wrong.

        Samples have ``pred_sem_seg`` and ``gt_sem_seg``, label maps [1, H, W].
        """
        num_classes = len(self.meta('classes'))
        ignore_index = ignore_index_of(num_classes) if self.ignore_index is None else self.ignore_index
        for sample in data_samples:
            if 'gt_sem_seg' not in sample:
                raise DataError(
                    f'{source(sample)}: has no gt_sem_seg to compare with. Add LoadAnnotations to the test pipeline.'
                )
            if 'gt_segments' in sample and (sample['gt_segments'].ids == BACKGROUND).any():
                raise DataError(
                    f'{source(sample)}: its truth is objects alone (mmlmseg.InstanceDataset), which mmlmseg.InstanceAP '
                    "scores; an IoU needs to know what is outside of them: say rest='ignore' or the name of a class in "
                    'the dataset.'
                )
            prediction: Tensor = sample['pred_sem_seg']['data']
            label: Tensor = sample['gt_sem_seg']['data'].to(prediction.device)
            try:
                areas = class_areas(prediction, label, num_classes, ignore_index)
            except DataError as error:
                raise DataError(
                    f'{source(sample)}: {error} Labels must be ids of the {num_classes} classes of its label space or '
                    f'{ignore_index} (ignored).'
                ) from error
            self.results.append(torch.stack(areas).cpu())  # [3, K]

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """Sum the areas of all samples, print the table per class, return the means and the IoU of each class."""
        self.per_image = torch.stack(results)  # [n, 3, K]
        areas = ClassAreas(*self.per_image.sum(0))
        scores = iou_scores(areas)
        of_classes = self.report_classes(scores.per_class, truth=areas.label)
        return {**{key: percent(mean) for key, mean in scores.means.items()}, **of_classes}

    def headline(self, total: Tensor) -> float:
        """mIoU of summed areas [3, K]."""
        return percent(iou_scores(ClassAreas(*total)).means[self.headline_key])
