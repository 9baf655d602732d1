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
from ..functional import segment_masks
from .common import ClassMetric, percent, source
from .mixed import PredictedMasks, TrueMasks, predicted_masks, true_masks

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
        """Keep truth and predictions of each sample as run lengths.

        Args:
            data_batch: Not used.
            data_samples: With ``pred_instances`` (``masks`` bool [n, H, W], ``labels``, ``scores``) and
                ``gt_panoptic_seg``, whose segments of thing classes are the truth; or with ``pred_masks`` and
                ``gt_masks``, see :class:`PanopticInstanceQuality`.

        Raises:
            DataError: Where one of these is missing, they differ in size, or a label or score cannot be; names the
                file.
        """
        things = self.meta('is_thing')
        for sample in data_samples:
            with errors_of(source(sample)):
                if ('pred_masks' in sample) != ('gt_masks' in sample):
                    raise DataError('pred_masks and gt_masks go together: one without the other has other labels.')
                found, truth = _prediction(sample), _truth(sample)
                if found.masks.shape[1:] != truth.masks.shape[1:]:
                    raise DataError(
                        f'predicted masks {tuple(found.masks.shape[1:])} and truth {tuple(truth.masks.shape[1:])} '
                        'differ in size.'
                    )
                for what, labels in (('predicted', found.labels), ('true', truth.labels)):
                    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(things):
                        raise DataError(
                            f'the {what} labels {labels.unique().tolist()} are not all in {len(things)} classes.'
                        )
                if not found.scores.isfinite().all():
                    raise DataError('a predicted score is not finite.')
            true = [
                dict(label=label, crowd=int(crowd), mask=_encode(mask))
                for mask, label, crowd in zip(truth.masks, truth.labels.tolist(), truth.crowd.tolist(), strict=True)
                if things[label] and mask.any()
            ]
            predicted = [
                dict(label=label, score=score, mask=_encode(mask))
                for mask, label, score in zip(
                    found.masks.cpu(), found.labels.tolist(), found.scores.tolist(), strict=True
                )
                if things[label]
            ]
            self.results.append(dict(size=tuple(truth.masks.shape[1:]), true=true, predicted=predicted))

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Evaluate with pycocotools, print the table per class, return the means."""
        classes, things = self.meta('classes'), self.meta('is_thing')
        categories = [dict(id=c + 1, name=name) for c, name in enumerate(classes) if things[c]]
        if not categories:
            raise DataError(
                'InstanceAP: the dataset has no thing class; name its things, or evaluate semantic results.'
            )
        images = [dict(id=i, height=r['size'][0], width=r['size'][1]) for i, r in enumerate(results, 1)]
        true = [
            dict(
                image_id=i,
                category_id=one['label'] + 1,
                iscrowd=one['crowd'],
                area=float(coco_mask.area(one['mask'])),
                segmentation=one['mask'],
            )
            for i, result in enumerate(results, 1)
            for one in result['true']
        ]
        predicted = [
            dict(image_id=i, category_id=one['label'] + 1, score=one['score'], segmentation=one['mask'])
            for i, result in enumerate(results, 1)
            for one in result['predicted']
        ]
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


def _prediction(sample: dict) -> PredictedMasks:
    if 'pred_masks' in sample:
        return predicted_masks(sample)
    if 'pred_instances' not in sample:
        raise DataError("has no pred_instances; set model.test_cfg.tasks=['instance'].")
    found = sample['pred_instances']
    return PredictedMasks(found['masks'], found['labels'], found['scores'])


def _truth(sample: dict) -> TrueMasks:
    cpu = torch.device('cpu')
    if 'gt_masks' in sample:
        return true_masks(sample, cpu)
    if 'gt_panoptic_seg' not in sample:
        raise DataError(
            'has no gt_panoptic_seg; load it with mmlmseg.LoadPanopticAnnotations and mmlmseg.PackPanopticInputs.'
        )
    truth = sample['gt_panoptic_seg']
    segments: Tensor = truth['data'].cpu()  # [1, H, W]
    labels, crowd = torch.tensor(truth['labels'], dtype=torch.long), torch.tensor(truth['crowd'], dtype=torch.bool)
    return TrueMasks(segment_masks(segments, len(labels), 'true segment'), labels, crowd, segments == 0)


def _coco(images: list[dict], categories: list[dict], annotations: list[dict]) -> COCO:
    made = COCO()
    made.dataset = dict(info={}, images=images, categories=categories, annotations=annotations)
    made.createIndex()
    return made


def _encode(mask: Tensor) -> dict[str, Any]:
    """Run lengths of a bool mask [H, W]."""
    runs: dict[str, Any] = coco_mask.encode(np.asfortranarray(mask.numpy().astype(np.uint8)))
    return runs
