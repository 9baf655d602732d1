"""Panoptic quality of panoptic predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import DataError
from ...registry import METRICS
from ..functional import PanopticCounts, panoptic_counts
from .panoptic_files import write_index, write_segments
from .segment_metric import SegmentMetric


@METRICS.register_module()
class PanopticQuality(SegmentMetric):
    """``PQ``, ``SQ`` and ``RQ`` in percent over all classes, things (``PQ_th``) and stuff (``PQ_st``).

    Exact and in memory, by COCO's rules for void and crowd (:func:`~mmlmseg.evaluation.functional.panoptic_counts`).
    Things and stuff are told apart by ``dataset_meta['is_thing']``; a group without classes has no keys.

    Args:
        out_dir: Where to save the predictions in COCO's panoptic format, in ``<out_dir>/<prefix>/panoptic/NAME.png``
            and ``panoptic.json`` beside that folder, for the official scripts. Ranks need a folder they share. The
            images are called ``image_id`` where samples carry one, else by the stem of their path; the categories
            ``dataset_meta['category_ids']`` where given, else by the index of their class.
        **kwargs: ``collect_device`` and ``prefix`` of :class:`ClassMetric`.
    """

    keys = ('PQ', 'SQ', 'RQ')

    def __init__(self, out_dir: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.out_dir = out_dir

    def counts(self, sample: dict) -> PanopticCounts:
        """Match the segments of a sample.

        Args:
            sample: With ``pred_panoptic_seg`` and ``gt_panoptic_seg``: ``data`` int [1, H, W], 0 is void, i the segment
                of ``labels[i - 1]``; the truth with ``crowd``, a bool per segment. Where no class is a thing,
                ``gt_sem_seg`` (255 is void) does as truth.

        Raises:
            DataError: Without truth or prediction, or where they do not fit each other or the classes.
        """
        prediction, labels = self._prediction(sample)
        return panoptic_counts(
            prediction,
            torch.tensor(labels, dtype=torch.long, device=prediction.device),
            *self.panoptic_truth(sample, prediction.device),
            num_classes=len(self.meta('classes')),
        )

    def record(self, sample: dict) -> dict[str, Any]:
        """The counts of a sample; with ``out_dir``, its path and its entry in ``panoptic.json`` too."""
        result = super().record(sample)
        if self.out_dir is not None:
            if not sample.get('img_path'):
                raise DataError('has no img_path to name its file after, which out_dir needs.')
            prediction, labels = self._prediction(sample)
            categories = self._categories()
            saved = write_segments(
                self._folder(self.out_dir),
                sample['img_path'],
                sample.get('image_id'),
                prediction.squeeze(0).cpu().numpy(),
                [categories[label]['id'] for label in labels],
            )
            result.update(image=sample['img_path'], saved=saved)
        return result

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Sum the counts of all samples, print the table per class, return the means; complete the saved files."""
        if self.out_dir is not None:
            write_index(self._folder(self.out_dir), {r['image']: r['saved'] for r in results}, self._categories())
        return super().compute_metrics(results)

    def _prediction(self, sample: dict) -> tuple[Tensor, list[int]]:
        if 'pred_panoptic_seg' not in sample:
            raise DataError('has no pred_panoptic_seg; let the segmentor make panoptic results.')
        return sample['pred_panoptic_seg']['data'], sample['pred_panoptic_seg']['labels']

    def _categories(self) -> list[dict[str, Any]]:
        classes = self.meta('classes')
        ids = (self.dataset_meta or {}).get('category_ids') or range(len(classes))
        if len(set(ids)) != len(classes):
            raise DataError(f'category_ids of dataset_meta must be {len(classes)} different ids, one for each class.')
        return [
            dict(id=category, name=name, isthing=int(thing))
            for category, name, thing in zip(ids, classes, self.meta_per_class('is_thing'))
        ]

    def _folder(self, out_dir: str) -> Path:
        return Path(out_dir) / (self.prefix or '') / 'panoptic'
