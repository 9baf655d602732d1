"""Average precision of instances, by COCO's rules."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor

from ...errors import DataError, errors_of
from ...registry import METRICS
from ..functional.histogram import check_range
from .common import ClassMetric, percent, predicted_masks, source, true_masks

_KEYS = dict(AP=0, AP50=1, AP75=2, AP_s=3, AP_m=4, AP_l=5)  # where COCOeval keeps them


@METRICS.register_module()
class InstanceAP(ClassMetric):
    """``AP`` over mask IoUs from 0.5 to 0.95, ``AP50``, ``AP75`` and AP of small, medium and large things, in percent.

    The numbers are pycocotools'. Only classes that ``dataset_meta['is_thing']`` marks count. There is no score
    where there is no truth of its kind. Crowds match any number of predictions and are never missed.

    In several label spaces at once it scores the masks of mixed results. These competed for pixels and passed a
    threshold, so there are fewer of them than ``instance`` results hold: the two are not to be compared.

    Args:
        **kwargs: ``collect_device`` and ``prefix`` of :class:`ClassMetric`.

    Raises:
        DataError: Where the dataset has no thing class.
    """

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep truth and predictions of each sample as run lengths; a DataError names the file of what is wrong.

        Samples have ``pred_instances``, in several label spaces ``pred_segments``, and ``gt_segments``, whose segments
        of thing classes are the truth; see :mod:`mmlmseg.segments`.
        """
        for sample in data_samples:
            with errors_of(source(sample)):
                self.results.append(self._record(sample))

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Evaluate with pycocotools, print the table per class, return the means."""
        classes, things = self.meta('classes'), self.meta('is_thing')
        categories = [dict(id=c + 1, name=name) for c, name in enumerate(classes) if things[c]]
        if not categories:
            raise DataError(
                'InstanceAP: the dataset has no thing class; name its things, or evaluate semantic results.'
            )
        images = [dict(id=i, height=r['size'][0], width=r['size'][1]) for i, r in enumerate(results, 1)]
        true, predicted = (
            [dict(one, image_id=i) for i, result in enumerate(results, 1) for one in result[kind]]
            for kind in ('true', 'predicted')
        )
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
            truth = _coco(images, categories, [dict(one, id=n) for n, one in enumerate(true, 1)])
            found = truth.loadRes(predicted) if predicted else _coco(images, categories, [])
            evaluation = COCOeval(truth, found, 'segm')
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        precision = evaluation.eval['precision'][:, :, :, 0, -1]  # [IoUs, recalls, classes] of all sizes, 100 a image
        per_class = np.full(len(classes), np.nan)
        for column, category in enumerate(categories):
            own = precision[:, :, column]
            per_class[category['id'] - 1] = own[own > -1].mean() if (own > -1).any() else np.nan
        self.log_per_class('AP', {'AP': torch.from_numpy(per_class)})
        scores = {key: evaluation.stats[i] for key, i in _KEYS.items()}
        return {key: percent(torch.tensor(score)) for key, score in scores.items() if score >= 0}  # -1: no truth

    def _record(self, sample: dict) -> dict[str, Any]:
        """The size of a sample, and its annotations as COCO's format has them, but for ids."""
        things = self.meta('is_thing')
        field = 'pred_instances' if self.num_spaces == 1 else 'pred_segments'
        masks, labels, scores = predicted_masks(self.segments(sample, field))
        true, true_labels, crowd = true_masks(self.segments(sample, 'gt_segments'), torch.device('cpu'))
        size = tuple(true.shape[1:])
        if masks.shape[1:] != size:
            raise DataError(f'predicted masks {tuple(masks.shape[1:])} and truth {size} differ in size.')
        check_range('class of a predicted mask:', labels, len(things) - 1)
        check_range('class of a true mask:', true_labels, len(things) - 1)
        if not scores.isfinite().all():
            raise DataError('a predicted score is not finite.')
        truth = [
            dict(category_id=label + 1, iscrowd=int(flag), area=float(coco_mask.area(runs)), segmentation=runs)
            for mask, label, flag in zip(true, true_labels.tolist(), crowd.tolist(), strict=True)
            if things[label] and mask.any()
            for runs in [_encode(mask)]
        ]
        predicted = [
            dict(category_id=label + 1, score=score, segmentation=_encode(mask))
            for mask, label, score in zip(masks.cpu(), labels.tolist(), scores.tolist(), strict=True)
            if things[label]
        ]
        return dict(size=size, true=truth, predicted=predicted)


def _coco(images: list[dict], categories: list[dict], annotations: list[dict]) -> COCO:
    made = COCO()
    made.dataset = dict(info={}, images=images, categories=categories, annotations=annotations)
    made.createIndex()
    return made


def _encode(mask: Tensor) -> dict[str, Any]:
    """Run lengths of a bool mask [H, W]."""
    runs: dict[str, Any] = coco_mask.encode(np.asfortranarray(mask.numpy().astype(np.uint8)))
    return runs
