"""Mean IoU of semantic predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from prettytable import PrettyTable
from torch import Tensor

from ...errors import DataError
from ...registry import METRICS
from ..functional import ClassAreas, IoUScores, class_areas, iou_scores


@METRICS.register_module()
class SemanticIoU(BaseMetric):
    """``mIoU``, ``mAcc`` and ``aAcc`` in percent, rounded to two decimals like mmseg's ``IoUMetric``.

    The numbers are those of ``IoUMetric``; areas are counted in integers, so they stay exact on large datasets, and a
    label outside the label space is an error instead of being dropped.

    Args:
        ignore_index: Label of the pixels that do not count.
        collect_device: How ranks exchange their areas: ``'gpu'`` goes through the process group (any backend, no
            shared folder needed), ``'cpu'`` through files.
        prefix: Put before the keys; :class:`~mmlmseg.evaluation.MultiDatasetEvaluator` adds the dataset's name itself.
    """

    default_prefix = ''  # mmengine warns about a metric whose prefix is None

    def __init__(self, ignore_index: int = 255, collect_device: str = 'gpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_index = ignore_index

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the areas of each sample, long [3, K].

        Args:
            data_batch: Not used.
            data_samples: With ``pred_sem_seg`` and ``gt_sem_seg``, label maps [1, H, W].

        Raises:
            DataError: Without truth, or with a label outside the label space; names the file.
        """
        num_classes = len(self._classes())
        for sample in data_samples:
            if 'gt_sem_seg' not in sample:
                raise DataError(
                    f'{_source(sample)}: has no gt_sem_seg to compare with. Add LoadAnnotations to the test pipeline.'
                )
            prediction: Tensor = sample['pred_sem_seg']['data']
            label: Tensor = sample['gt_sem_seg']['data'].to(prediction.device)
            try:
                areas = class_areas(prediction, label, num_classes, self.ignore_index)
            except DataError as error:
                raise DataError(
                    f'{_source(sample)}: {error} Labels must be ids of the {num_classes} classes of its label space or '
                    f'{self.ignore_index} (ignored).'
                ) from error
            self.results.append(torch.stack(areas).cpu())  # [3, K]

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """Sum the areas of all samples, print the table per class, return the means."""
        scores = iou_scores(ClassAreas(*torch.stack(results).sum(0)))
        logger = MMLogger.get_current_instance()
        print_log(f'{self.prefix or "IoU"} per class (percent):\n{_table(self._classes(), scores)}', logger=logger)
        return {
            'mIoU': _percent(scores.mean_iou),
            'mAcc': _percent(scores.mean_accuracy),
            'aAcc': _percent(scores.pixel_accuracy),
        }

    def _classes(self) -> Sequence[str]:
        if not self.dataset_meta or 'classes' not in self.dataset_meta:
            raise DataError('SemanticIoU does not know the classes: set dataset_meta=dict(classes=[...]).')
        return self.dataset_meta['classes']


def _percent(fraction: Tensor) -> float:
    return round(float(fraction) * 100, 2)


def _table(classes: Sequence[str], scores: IoUScores) -> str:
    table = PrettyTable(['class', 'IoU', 'Acc'])
    table.align['class'] = 'l'
    for name, iou, accuracy in zip(classes, scores.iou, scores.accuracy, strict=True):
        table.add_row([name, _percent(iou), _percent(accuracy)])
    return str(table.get_string())


def _source(sample: dict) -> str:
    return str(sample.get('seg_map_path') or sample.get('img_path') or 'a sample without a path')
