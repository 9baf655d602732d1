"""What the metrics that match segments share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...errors import DataError, errors_of
from ..functional import PanopticCounts, class_segments, mean_scores, panoptic_scores
from .common import ClassMetric, percent, source


class SegmentMetric(ClassMetric):
    """A quality of segments and its two factors in percent, over all classes, things (``_th``) and stuff (``_st``).

    Things and stuff are told apart by ``dataset_meta['is_thing']``; a group without classes has no keys.

    Attributes:
        keys: What the quality and its factors, SQ and RQ, are called.
    """

    keys: tuple[str, str, str]

    def counts(self, sample: dict) -> PanopticCounts:
        """Compare the prediction of a sample with its truth.

        Raises:
            DataError: Without truth or prediction, or where they do not fit each other or the classes.
        """
        raise NotImplementedError

    def record(self, sample: dict) -> dict[str, Any]:
        """What to keep of a sample until the end: its ``counts``, double [4, K] in host memory."""
        return dict(counts=torch.stack([count.double() for count in self.counts(sample)]).cpu())

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the counts of each sample.

        Args:
            data_batch: Not used.
            data_samples: What :meth:`counts` compares.

        Raises:
            DataError: What :meth:`counts` raises, with the name of the file.
        """
        for sample in data_samples:
            with errors_of(source(sample)):
                self.results.append(self.record(sample))

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Sum the counts of all samples, print the table per class, return the means."""
        self.per_image = torch.stack([result['counts'] for result in results])  # [n, 4, K]
        scores = panoptic_scores(PanopticCounts(*self.per_image.sum(0)))
        self.log_per_class(self.keys[0], dict(zip(self.keys, scores)))
        things = torch.tensor(self.meta_per_class('is_thing'))
        groups = {'': torch.ones_like(things), '_th': things, '_st': ~things}
        return {
            f'{key}{suffix}': percent(score)
            for suffix, classes in groups.items()
            if classes.any()
            for key, score in zip(self.keys, mean_scores(scores, classes))
        }

    def headline(self, total: Tensor) -> float:
        """The quality over all classes of summed counts [4, K]."""
        scores = panoptic_scores(PanopticCounts(*total))
        return percent(scores.pq.nanmean())

    def panoptic_truth(self, sample: dict, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Segment ids [1, H, W], their classes [T], and whether each is a crowd [T]."""
        if 'gt_panoptic_seg' in sample:
            truth = sample['gt_panoptic_seg']
            labels = torch.tensor(truth['labels'], dtype=torch.long, device=device)
            return truth['data'].to(device), labels, torch.tensor(truth['crowd'], dtype=torch.bool, device=device)
        if 'gt_sem_seg' not in sample or any(self.meta_per_class('is_thing')):
            raise DataError(
                'has no gt_panoptic_seg to compare with. Add mmlmseg.LoadPanopticAnnotations and '
                'mmlmseg.PackPanopticInputs to the test pipeline; gt_sem_seg alone will do where no class is a thing.'
            )
        labels = torch.arange(len(self.meta('classes')), device=device)
        segments = class_segments(sample['gt_sem_seg']['data'].to(device), len(labels))
        return segments, labels, torch.zeros_like(labels, dtype=torch.bool)

    def meta_per_class(self, key: str) -> Sequence[Any]:
        """An entry of ``dataset_meta`` that lists something of each class.

        Raises:
            DataError: Where it is missing, or of another length than the classes.
        """
        values: Sequence[Any] = self.meta(key)
        if len(values) != len(self.meta('classes')):
            raise DataError(f'{key} of dataset_meta has {len(values)} entries, not one for each class.')
        return values
