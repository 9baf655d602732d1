"""Average precision of instances, by COCO's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...errors import DataError, OptionError, errors_of
from ...federated import FEDERATED, SearchedClasses
from ...registry import METRICS
from ..definitions import Kind
from ..functional.average_precision import (
    AREAS,
    IOUS,
    MOST,
    MOST_FEDERATED,
    MatchedMasks,
    cut_by_class,
    cut_by_image,
    looked_for,
    match_masks,
    precisions,
)
from ..functional.histogram import check_range
from ..functional.mask_areas import areas, packed, shared_areas
from .common import ClassMetric, percent, predicted_masks, source, true_masks

_RANGES = {'AP_s': 'small', 'AP_m': 'medium', 'AP_l': 'large'}
_FREQUENCIES = {'AP_r': 'r', 'AP_c': 'c', 'AP_f': 'f'}


@METRICS.register_module()
class InstanceAP(ClassMetric):
    """``AP`` over mask IoUs from 0.5 to 0.95, ``AP50``, ``AP75`` and AP of small, medium and large things, in percent.

    The numbers are pycocotools', computed by :mod:`~mmlmseg.evaluation.functional.average_precision`. Only classes
    that ``dataset_meta['is_thing']`` marks count. There is no score where there is no truth of its kind. Crowds match
    any number of predictions and are never missed.

    Where images are labelled for some classes only (:mod:`mmlmseg.federated`), the numbers are those of lvis: in each
    image predictions of classes that nobody looked for do not count, and those of classes that are not marked
    exhaustively count where they match. Where the annotation file tells ``frequency``, there are ``AP_r``, ``AP_c`` and
    ``AP_f``, the means over rare, common and frequent classes.

    In several label spaces at once it scores the masks of mixed results. These competed for pixels and passed a
    threshold, so there are fewer of them than ``instance`` results hold: the two are not to be compared.

    Args:
        max_dets: How many predictions of a class and image count, the surest ones; COCO's ``maxDets``, 100 by default.
            Where images hold more objects, a larger number is needed to reach 100, and is said to be no longer COCO's.
            With federated labels it is those of an image, of all classes together; LVIS' 300 by default.
        **kwargs: ``collect_device`` and ``prefix`` of :class:`ClassMetric`.

    Raises:
        DataError: Where the dataset has no thing class.
        OptionError: Where ``max_dets`` is no positive whole number.
    """

    class_score = 'AP'
    counted = 'objects'

    def __init__(self, max_dets: int | None = None, **kwargs: Any) -> None:
        if max_dets is not None and (isinstance(max_dets, bool) or not isinstance(max_dets, int) or max_dets < 1):
            raise OptionError(
                f'InstanceAP: max_dets is {max_dets!r}; write how many predictions of a class and image count, a whole '
                f'number from 1 on (COCO: {MOST})'
            )
        super().__init__(**kwargs)
        self._max_dets = max_dets

    @property
    def federated(self) -> bool:
        """Whether the images are labelled for some classes only."""
        return bool((self.dataset_meta or {}).get(FEDERATED))

    @property
    def max_dets(self) -> int:
        """How many predictions count: of a class and image, or of an image where labels are federated."""
        return self._max_dets or (MOST_FEDERATED if self.federated else MOST)

    @property
    def frequencies(self) -> list[str]:
        """``r``, ``c``, ``f`` or nothing of each class; empty where no file tells."""
        return list(self.meta('frequency')) if 'frequency' in (self.dataset_meta or {}) else []

    @classmethod
    def result_keys(cls) -> tuple[str, ...]:
        """AP over all IoUs, at two of them, of things of three sizes, and of classes of three frequencies."""
        return ('AP', 'AP50', 'AP75', *_RANGES, *_FREQUENCIES)

    def all_keys(self) -> list[str]:
        """See :class:`ClassMetric`; without those of frequencies where no file tells them."""
        left_out = () if self.frequencies else _FREQUENCIES
        return [key for key in super().all_keys() if key.rpartition('/')[2] not in left_out]

    @property
    def scored(self) -> list[bool]:
        """Things alone."""
        return [bool(thing) for thing in self.meta('is_thing')]

    def define(self, score: str) -> tuple[Kind, str]:
        """Those of pycocotools or lvis in one label space, with their limits, and where no size is asked for."""
        theirs, limit = ('lvis', MOST_FEDERATED) if self.federated else ('pycocotools', MOST)
        per = 'an image' if self.federated else 'a class and image'
        text = f'average precision of masks, {self.max_dets} predictions of {per} at most'
        if self.num_spaces > 1:
            return 'ours', f'{text}, of mixed results of several label spaces, which competed for pixels'
        if score in _RANGES:
            return 'ours', f'{text}, as {theirs}, but sizes go by the pixels of masks, there by "area" of the file'
        if self.max_dets != limit:
            return 'ours', f'{text}, as {theirs} with this maxDets; the published AP has {limit}'
        if score in _FREQUENCIES and not self.federated:
            return 'ours', f'{text}, as pycocotools, over classes of one frequency'
        return 'comparable', f'{text}, as {theirs}'

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
        own = np.array(self.frequencies)
        frequent = {key: everything[own == group] for key, group in _FREQUENCIES.items() if len(own)}
        ious = {'AP': slice(None), 'AP50': IOUS == 0.5, 'AP75': np.isclose(IOUS, 0.75)}
        scores = {key: torch.from_numpy(found['all'][:, which]).nanmean() for key, which in ious.items()}
        scores |= {key: torch.from_numpy(found[area]).nanmean() for key, area in _RANGES.items()}
        scores |= {key: precision.nanmean() for key, precision in frequent.items()}
        for keys, what in ((_RANGES, 'size'), (frequent, 'frequency')):
            lacking = [key for key in keys if scores[key].isnan()]
            if lacking and not scores['AP'].isnan():
                text = f'{", ".join(lacking)}: no number, the truth has no objects of this {what}'
                self.note(f'{what} without truth', text)
        return {**{key: percent(score) for key, score in scores.items()}, **of_classes}

    def _note_cuts(self, results: list[MatchedMasks]) -> None:
        """Says where images hold more objects than they may have predictions."""
        allowed = max(image.given for image in results)
        per, cut_by = ('an image', cut_by_image) if self.federated else ('a class', cut_by_class)
        limits = {f'max_dets = {self.max_dets} of {per}; set max_dets of InstanceAP': cut_by(results, self.max_dets)}
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
        searched = self._searched(sample)
        counted: Any = slice(None)
        if searched is not None:
            counted = looked_for(found.labels, certain, searched['labels'], self.max_dets)
        matched = match_masks(
            iou[counted],
            found.labels[counted],
            certain[counted],
            found.areas[counted],
            truth.labels,
            crowds,
            truth.areas,
            len(things),
            self.max_dets,
            searched['not_exhaustive'] if searched else (),
        )
        return replace(matched, given=len(certain))

    def _searched(self, sample: Mapping[str, Any]) -> SearchedClasses | None:
        """The classes that were looked for in an image of a federated dataset."""
        found: SearchedClasses | None = sample.get(FEDERATED)
        if self.federated and found is None:
            raise DataError(
                'its dataset is labelled for some classes an image only, but the sample does not say for which: pack '
                'it with mmlmseg.PackSegments'
            )
        if found is not None and not self.federated:
            raise DataError(
                'it is labelled for some classes only, but its dataset does not say so (federated of dataset_meta): '
                'list files with neg_category_ids as datasets of their own, without ConcatDataset'
            )
        return found


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
