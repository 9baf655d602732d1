"""Panoptic quality of panoptic predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import DataError
from ...registry import METRICS
from ..functional import PanopticCounts, class_segments, mean_scores, panoptic_counts, panoptic_scores
from .common import ClassMetric, percent, source
from .panoptic_files import write_index, write_segments


@METRICS.register_module()
class PanopticQuality(ClassMetric):
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

    def __init__(self, out_dir: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.out_dir = out_dir

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the counts of each sample, and save its prediction.

        Args:
            data_batch: Not used.
            data_samples: With ``pred_panoptic_seg`` and ``gt_panoptic_seg``: ``data`` int [1, H, W], 0 is void, i the
                segment of ``labels[i - 1]``; the truth with ``crowd``, a bool per segment. Where no class is a thing,
                ``gt_sem_seg`` (255 is void) does as truth.

        Raises:
            DataError: Without truth or prediction, or where they do not fit each other or the classes; names the file.
        """
        for sample in data_samples:
            try:
                self.results.append(self._compare(sample))
            except DataError as error:
                raise DataError(f'{source(sample)}: {error}') from error

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Sum the counts of all samples, print the table per class, return the means; complete the saved files."""
        self.per_image = torch.stack([result['counts'] for result in results])  # [n, 4, K]
        scores = panoptic_scores(PanopticCounts(*self.per_image.sum(0)))
        self.log_per_class('PQ', {'PQ': scores.pq, 'SQ': scores.sq, 'RQ': scores.rq})
        if self.out_dir is not None:
            write_index(self._folder(self.out_dir), {r['image']: r['saved'] for r in results}, self._categories())
        things = torch.tensor(self._is_thing())
        groups = {'': torch.ones_like(things), '_th': things, '_st': ~things}
        return {
            f'{key.upper()}{suffix}': percent(score)
            for suffix, classes in groups.items()
            if classes.any()
            for key, score in mean_scores(scores, classes)._asdict().items()
        }

    def headline(self, total: Tensor) -> float:
        """PQ over all classes of summed counts [4, K]."""
        scores = panoptic_scores(PanopticCounts(*total))
        return percent(scores.pq.nanmean())

    def _compare(self, sample: dict) -> dict[str, Any]:
        if 'pred_panoptic_seg' not in sample:
            raise DataError('has no pred_panoptic_seg; let the segmentor make panoptic results.')
        prediction: Tensor = sample['pred_panoptic_seg']['data']  # [1, H, W]
        labels: list[int] = sample['pred_panoptic_seg']['labels']
        counts = panoptic_counts(
            prediction,
            torch.tensor(labels, dtype=torch.long, device=prediction.device),
            *self._truth(sample, prediction.device),
            num_classes=len(self.meta('classes')),
        )
        result: dict[str, Any] = dict(counts=torch.stack([count.double() for count in counts]).cpu())
        if self.out_dir is not None:
            if not sample.get('img_path'):
                raise DataError('has no img_path to name its file after, which out_dir needs.')
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

    def _truth(self, sample: dict, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Segment ids [1, H, W], their classes [T], and whether each is a crowd [T]."""
        if 'gt_panoptic_seg' in sample:
            truth = sample['gt_panoptic_seg']
            labels = torch.tensor(truth['labels'], dtype=torch.long, device=device)
            return truth['data'].to(device), labels, torch.tensor(truth['crowd'], dtype=torch.bool, device=device)
        if 'gt_sem_seg' not in sample or any(self._is_thing()):
            raise DataError(
                'has no gt_panoptic_seg to compare with. Add mmlmseg.LoadPanopticAnnotations and '
                'mmlmseg.PackPanopticInputs to the test pipeline; gt_sem_seg alone will do where no class is a thing.'
            )
        labels = torch.arange(len(self.meta('classes')), device=device)
        segments = class_segments(sample['gt_sem_seg']['data'].to(device), len(labels))
        return segments, labels, torch.zeros_like(labels, dtype=torch.bool)

    def _is_thing(self) -> Sequence[bool]:
        is_thing: Sequence[bool] = self.meta('is_thing')
        if len(is_thing) != len(self.meta('classes')):
            raise DataError(f'is_thing of dataset_meta has {len(is_thing)} entries, not one for each class.')
        return is_thing

    def _categories(self) -> list[dict[str, Any]]:
        classes = self.meta('classes')
        ids = (self.dataset_meta or {}).get('category_ids') or range(len(classes))
        if len(set(ids)) != len(classes):
            raise DataError(f'category_ids of dataset_meta must be {len(classes)} different ids, one for each class.')
        return [
            dict(id=category, name=name, isthing=int(thing))
            for category, name, thing in zip(ids, classes, self._is_thing())
        ]

    def _folder(self, out_dir: str) -> Path:
        return Path(out_dir) / (self.prefix or '') / 'panoptic'
