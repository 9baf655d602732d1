"""Average precision of instances, by COCO's rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...errors import DataError, OptionError, errors_of
from ...registry import METRICS
from ..definitions import Kind
from ..functional.average_precision import (
    AREAS,
    IOUS,
    MOST,
    MatchedMasks,
    cut_by_class,
    cut_by_image,
    match_masks,
    precisions,
)
from ..functional.histogram import check_range
from ..functional.mask_areas import areas, packed, shared_areas
from .common import ClassMetric, percent, predicted_masks, source, true_masks

_RANGES = {'AP_s': 'small', 'AP_m': 'medium', 'AP_l': 'large'}


@METRICS.register_module()
class InstanceAP(ClassMetric):
    """``AP`` over mask IoUs from 0.5 to 0.95, ``AP50``, ``AP75`` and AP of small, medium and large things, in percent.

    The numbers are pycocotools', computed by :mod:`~mmlmseg.evaluation.functional.average_precision`. Only classes
    that ``dataset_meta['is_thing']`` marks count. There is no score where there is no truth of its kind. Crowds match
    any number of predictions and are never missed.

    In several label spaces at once it scores the masks of mixed results. These competed for pixels and passed a
    threshold, so there are fewer of them than ``instance`` results hold: the two are not to be compared.

    Args:
        max_dets: How many predictions of a class and image count, the surest ones; COCO's ``maxDets``. Where images
            hold more objects, a larger number is needed to reach 100, and is said to be no longer COCO's.
        **kwargs: ``collect_device`` and ``prefix`` of :class:`ClassMetric`.

    Raises:
        DataError: Where the dataset has no thing class.
        OptionError: Where ``max_dets`` is no positive whole number.
    """

    class_score = 'AP'
    counted = 'objects'

    def __init__(self, max_dets: int = MOST, **kwargs: Any) -> None:
        if isinstance(max_dets, bool) or not isinstance(max_dets, int) or max_dets < 1:
            raise OptionError(
                f'InstanceAP: max_dets is {max_dets!r}; write how many predictions of a class and image count, a whole '
                f'number from 1 on (COCO: {MOST})'
            )
        super().__init__(**kwargs)
        self.max_dets = max_dets

    @classmethod
    def result_keys(cls) -> tuple[str, ...]:
        """AP over all IoUs, at two of them, and of things of three sizes."""
        return ('AP', 'AP50', 'AP75', *_RANGES)

    @property
    def scored(self) -> list[bool]:
        """Things alone."""
        return [bool(thing) for thing in self.meta('is_thing')]

    def define(self, score: str) -> tuple[Kind, str]:
        """Those of pycocotools in one label space, with its limit, and where no size is asked for."""
        text = f'average precision of masks, {self.max_dets} predictions of a class and image at most'
        if self.num_spaces > 1:
            return 'ours', f'{text}, of mixed results of several label spaces, which competed for pixels'
        if score in _RANGES:
            return 'ours', f'{text}, as pycocotools, but sizes go by the pixels of masks, there by "area" of the file'
        if self.max_dets != MOST:
            return 'ours', f'{text}, as pycocotools with this maxDets; the published AP has {MOST}'
        return 'comparable', f'{text}, as pycocotools'

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Match the predictions of each sample; a DataError names the file of what is wrong.

        Samples have ``pred_instances``, in several label spaces ``pred_segments``, and ``gt_segments``, whose segments
        of thing classes are the truth; see :mod:`mmlmseg.segments`.
        """
        for sample in data_samples:
            with errors_of(source(sample)):
                self.results.append(self._matched(sample))

    def compute_metrics(self, results: list[MatchedMasks]) -> dict[str, float]:
        """Sort the predictions of all samples, print the table per class, return the means and the AP of each class."""
        things = np.array(self.meta('is_thing'), dtype=bool)
        if not things.any():
            raise DataError(
                'InstanceAP: the dataset has no thing class; name its things, or evaluate semantic results.'
            )
        found = dict(zip(AREAS, precisions(results), strict=True))  # [K, IoUs, recalls] each
        everything = torch.from_numpy(found['all'])
        truth = torch.from_numpy(np.sum([image.truths[0] for image in results], axis=0))
        of_classes = self.report_classes({'AP': everything.mean((1, 2))}, truth)
        self._note_cuts(results)
        ious = {'AP': slice(None), 'AP50': IOUS == 0.5, 'AP75': np.isclose(IOUS, 0.75)}
        scores = {key: torch.from_numpy(found['all'][:, which]).nanmean() for key, which in ious.items()}
        scores |= {key: torch.from_numpy(found[area]).nanmean() for key, area in _RANGES.items()}
        sizes = [key for key in _RANGES if scores[key].isnan()]
        if sizes and not scores['AP'].isnan():
            self.note('sizes without truth', f'{", ".join(sizes)}: no number, the truth has no objects of this size')
        return {**{key: percent(score) for key, score in scores.items()}, **of_classes}

    def _note_cuts(self, results: list[MatchedMasks]) -> None:
        """Says where images hold more objects than they may have predictions."""
        allowed = max(image.given for image in results)
        limits = {
            f'max_dets = {self.max_dets} of a class; set max_dets of InstanceAP': cut_by_class(results, self.max_dets)
        }
        if allowed and self.num_spaces == 1:  # mixed results are fewer for other reasons
            what = f'the {allowed} predictions of an image; set test_cfg.instance.max_per_image, num_queries'
            limits[what] = cut_by_image(results, allowed)
        for place, (limit, cut) in enumerate(limits.items()):
            if cut.masks:
                text = f'{cut.masks} objects of {cut.images} images cannot be found, they are beyond {limit}'
                self.note(f'limit {place}', text)

    def _matched(self, sample: dict) -> MatchedMasks:
        """The predictions of a sample, compared with its truth; things alone count."""
        things = torch.tensor(self.meta('is_thing'), dtype=torch.bool)
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
        found = _Masks.of(masks, labels, things)
        truth = _Masks.of(true, true_labels, things)
        # A crop may have taken all pixels of a true mask.
        kept, crowds = truth.areas > 0, crowd[things[true_labels]].numpy()
        truth, crowds = _Masks(truth.bits[kept], truth.labels[kept], truth.areas[kept]), crowds[kept]
        shared = shared_areas(found.bits, truth.bits, read=found.labels[:, None] == truth.labels)  # [P, T]
        iou = shared / (found.areas[:, None] + np.where(crowds, 0, truth.areas - shared)).clip(min=1)
        certain = scores.double().cpu().numpy()[things[labels.cpu()].numpy()]
        return match_masks(
            iou, found.labels, certain, found.areas, truth.labels, crowds, truth.areas, len(things), self.max_dets
        )


class _Masks(NamedTuple):
    """Masks of things, packed."""

    bits: np.ndarray  # [n, words]
    labels: np.ndarray  # [n]
    areas: np.ndarray  # [n], pixels

    @classmethod
    def of(cls, masks: Tensor, labels: Tensor, things: Tensor) -> _Masks:
        own = things[labels.cpu()].numpy()
        bits = packed(masks)[own]
        return cls(bits, labels.cpu().numpy()[own], areas(bits))
