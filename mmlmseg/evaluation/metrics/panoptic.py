"""Panoptic quality of maps of segments, and its kin for masks that may overlap, as those of several label spaces do.

Maps can be saved in COCO's panoptic format for the official scripts to score: ``panoptic/NAME.png`` holds the segments
of an image, ``panoptic.json`` beside the folder what they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import DataError
from ...panoptic_png import write_panoptic_png
from ...registry import METRICS
from ...segments import SegmentMap
from ..definitions import Kind
from ..functional import Matching, PanopticCounts, check_matching, panoptic_counts, piq_counts
from .common import SegmentMetric, crowd_flags, predicted_masks, true_masks

Described = tuple[dict[str, Any], dict[str, Any]]
"""What a panoptic json says of an image, under ``images`` and under ``annotations``."""


@METRICS.register_module()
class PanopticQuality(SegmentMetric):
    """``PQ``, ``SQ`` and ``RQ`` in percent over all classes, things (``PQ_th``) and stuff (``PQ_st``).

    Exact and in memory, by COCO's rules for void and crowd (:func:`~mmlmseg.evaluation.functional.panoptic_counts`).

    Args:
        out_dir: Where to save the predictions in COCO's panoptic format, in ``<out_dir>/<prefix>/panoptic/NAME.png``
            and ``panoptic.json`` beside that folder, for the official scripts. Ranks need a folder they share. The
            images are called ``image_id`` where samples carry one, else by the stem of their path; the categories
            ``dataset_meta['category_ids']`` where given, else by the index of their class.
        **kwargs: ``collect_device`` and ``prefix`` of :class:`ClassMetric`.
    """

    keys = ('PQ', 'SQ', 'RQ')
    headline_key = class_score = keys[0]

    def define(self, score: str) -> tuple[Kind, str]:
        """All are those of panopticapi, save for what :mod:`~mmlmseg.evaluation.functional.panoptic` says."""
        text = "COCO's panoptic quality, or a factor of it, as panopticapi computes it; a class that is only predicted"
        return 'comparable', f'{text} counts as 0'

    def __init__(self, out_dir: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.out_dir = out_dir

    def counts(self, sample: dict) -> PanopticCounts:
        """Match ``pred_segments`` and ``gt_segments`` of a sample, maps of one label space (:mod:`mmlmseg.segments`).

        Where no class is a thing, ``gt_sem_seg`` (255 is void) does as truth.
        """
        found, truth = self._prediction(sample), self.truth(sample)
        parts = found.labels, truth.ids, truth.labels, crowd_flags(truth)
        labels, true_ids, true_labels, crowd = (part.to(found.ids.device) for part in parts)
        return panoptic_counts(found.ids, labels, true_ids, true_labels, crowd, len(self.meta('classes')))

    def record(self, sample: dict) -> dict[str, Any]:
        """The counts of a sample; with ``out_dir``, its path and its entries in ``panoptic.json`` too."""
        result = super().record(sample)
        if self.out_dir is not None:
            if not sample.get('img_path'):
                raise DataError('has no img_path to name its file after, which out_dir needs.')
            found, categories = self._prediction(sample), self._categories()
            ids = [categories[label]['id'] for label in found.labels.tolist()]
            segments = found.ids[0].cpu().numpy()
            folder = self._folder(self.out_dir)
            saved = write_segments(folder, sample['img_path'], sample.get('image_id'), segments, ids)
            result.update(image=sample['img_path'], saved=saved)
        return result

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Sum the counts of all samples, print the table per class, return the means; complete the saved files."""
        if self.out_dir is not None:
            write_index(self._folder(self.out_dir), {r['image']: r['saved'] for r in results}, self._categories())
        return super().compute_metrics(results)

    def _prediction(self, sample: dict) -> SegmentMap:
        found = self.segments(sample, 'pred_segments')
        if not isinstance(found, SegmentMap) or self.num_spaces > 1:
            raise DataError(
                'is of several label spaces at once, where segments may overlap; mmlmseg.PanopticInstanceQuality '
                'scores these.'
            )
        return found

    def _categories(self) -> list[dict[str, Any]]:
        classes = self.meta('classes')
        ids = (self.dataset_meta or {}).get('category_ids') or range(len(classes))
        if len(set(ids)) != len(classes):
            raise DataError(f'category_ids of dataset_meta must be {len(classes)} different ids, one for each class.')
        return [
            dict(id=category, name=name, isthing=int(thing))
            for category, name, thing in zip(ids, classes, self.meta('is_thing'))
        ]

    def _folder(self, out_dir: str) -> Path:
        return Path(out_dir) / (self.prefix or '') / 'panoptic'


@METRICS.register_module()
class PanopticInstanceQuality(SegmentMetric):
    """``PIQ`` and its factors ``PIQ_SQ`` and ``PIQ_RQ`` in percent over all classes, things (``PIQ_th``) and stuff.

    RESI published the name only; what is measured is our reconstruction, see
    :mod:`~mmlmseg.evaluation.functional.piq`. It needs ``dataset_meta`` with ``classes`` and ``is_thing`` and, for
    several label spaces at once, ``groups``: the index of each class's space. A metric beside ``PanopticQuality`` on
    samples of one space gives its numbers.

    Args:
        matching: ``'greedy'``, by descending score, or ``'optimal'``, for the largest sum of IoU.
        **kwargs: ``collect_device`` and ``prefix`` of :class:`ClassMetric`.
    """

    keys = ('PIQ', 'PIQ_SQ', 'PIQ_RQ')
    headline_key = class_score = keys[0]

    def define(self, score: str) -> tuple[Kind, str]:
        """The published name, our formula."""
        text = (
            'panoptic instance quality, or a factor of it, by our own reconstruction: RESI published the name without'
        )
        return 'ours', f'{text} a formula. Panoptic quality of masks that may overlap, {self.matching} matching'

    def __init__(self, matching: Matching = 'greedy', **kwargs: Any) -> None:
        check_matching(matching)
        super().__init__(**kwargs)
        self.matching: Matching = matching

    def counts(self, sample: dict) -> PanopticCounts:
        """Match the masks of ``pred_segments``, of which every origin counts, and ``gt_segments`` of a sample.

        Where no class is a thing, ``gt_sem_seg`` (255 is void) does as truth of one space.
        """
        masks, labels, scores = predicted_masks(self.segments(sample, 'pred_segments'))
        truth, device = self.truth(sample), masks.device
        void, groups = truth.void.to(device), torch.tensor(self.groups, device=device)
        return piq_counts(masks, labels, scores, *true_masks(truth, device), void, groups, self.matching)


def write_segments(
    folder: Path, img_path: str, image_id: int | str | None, segments: np.ndarray, categories: Sequence[int]
) -> Described:
    """Write the PNG of an image, named after it, into a folder, which is made where it is missing.

    Args:
        img_path: The image.
        image_id: What the truth calls the image, by default the stem of its path.
        segments: Integers [H, W]: 0 is void, i the segment of category i - 1.
        categories: The category id of each segment.

    Returns:
        The image's entries under ``images`` and ``annotations``. Segments without pixels are left out: panopticapi
        refuses them.
    """
    stem = Path(img_path).stem
    folder.mkdir(parents=True, exist_ok=True)
    write_panoptic_png(folder / f'{stem}.png', segments)
    areas = np.bincount(segments.ravel(), minlength=len(categories) + 1)[1:].tolist()
    name, (height, width) = stem if image_id is None else image_id, segments.shape
    image = dict(id=name, file_name=Path(img_path).name, height=height, width=width)
    annotation = dict(
        image_id=name,
        file_name=f'{stem}.png',
        segments_info=[
            dict(id=segment, category_id=category, area=area, iscrowd=0)
            for segment, (category, area) in enumerate(zip(categories, areas, strict=True), start=1)
            if area
        ],
    )
    return image, annotation


def write_index(folder: Path, described: Mapping[str, Described], categories: Sequence[Mapping[str, Any]]) -> None:
    """Write the json of a folder of PNGs beside it.

    It holds the entries of the images, given by their paths, no two of one file name or id; and the categories. So it
    can be read as truth again (:class:`mmlmseg.PanopticDataset`).
    """
    for key in ('file_name', 'image_id'):
        first: dict[Any, str] = {}
        for img_path, (_, annotation) in described.items():
            other = first.setdefault(annotation[key], img_path)
            if other != img_path:
                raise DataError(
                    f'{folder}: {other} and {img_path} both have the {key} {annotation[key]!r} in the results; rename '
                    'one, or evaluate without out_dir'
                )
    images, annotations = zip(*described.values(), strict=True) if described else ((), ())
    content = dict(images=images, annotations=annotations, categories=list(categories))
    folder.with_name(f'{folder.name}.json').write_text(json.dumps(content), encoding='utf-8')
