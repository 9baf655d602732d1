"""Panoptic instance quality of masks that may overlap, as those of mixed label spaces do."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...errors import DataError
from ...registry import METRICS
from ..functional import Matching, PanopticCounts, check_matching, piq_counts, segment_masks
from .mixed import predicted_masks, true_masks
from .segment_metric import SegmentMetric


@METRICS.register_module()
class PanopticInstanceQuality(SegmentMetric):
    """``PIQ`` and its factors ``PIQ_SQ`` and ``PIQ_RQ`` in percent over all classes, things (``PIQ_th``) and stuff.

    RESI published the name only; what is measured is our reconstruction, see
    :mod:`~mmlmseg.evaluation.functional.piq`. It needs ``dataset_meta`` with ``classes`` and ``is_thing`` and, for
    mixed label spaces, ``groups``: the index of each class's space. A metric beside ``PanopticQuality`` on plain
    panoptic samples gives its numbers.

    Args:
        matching: ``'greedy'``, by descending score, or ``'optimal'``, for the largest sum of IoU.
        **kwargs: ``collect_device`` and ``prefix`` of :class:`ClassMetric`.
    """

    keys = ('PIQ', 'PIQ_SQ', 'PIQ_RQ')

    def __init__(self, matching: Matching = 'greedy', **kwargs: Any) -> None:
        check_matching(matching)
        super().__init__(**kwargs)
        self.matching: Matching = matching

    def counts(self, sample: dict) -> PanopticCounts:
        """Match the masks of a sample.

        Args:
            sample: With ``pred_masks``: ``masks`` bool [P, H, W], ``labels`` [P], ``scores`` [P] and, where masks of
                several spaces are united, ``origins``, all classes of each, every one of which counts; with
                ``gt_masks``: ``masks`` bool [T, H, W], ``labels`` [T], ``crowd`` [T]; and with ``gt_void``: ``data``
                bool [G, H, W], where each space has no truth. Labels are indices into ``dataset_meta['classes']``. In
                their place, a single label space may have what ``PanopticQuality`` compares.

        Raises:
            DataError: Without truth or prediction, or where they do not fit each other or the classes.
        """
        prediction, labels, scores = self._prediction(sample)
        return piq_counts(prediction, labels, scores, *self._truth(sample, prediction.device), self.matching)

    def _prediction(self, sample: dict) -> tuple[Tensor, Tensor, Tensor]:
        """Masks [P, H, W], their classes [P] and scores [P]."""
        if 'pred_masks' in sample:
            return predicted_masks(sample)
        if 'pred_panoptic_seg' not in sample:
            raise DataError('has neither pred_masks nor pred_panoptic_seg; let the segmentor make one of them.')
        if 'gt_masks' in sample and len(set(self.meta('groups'))) > 1:
            raise DataError('has gt_masks of several label spaces but no pred_masks; ask the model for these spaces.')
        found = sample['pred_panoptic_seg']
        segments: Tensor = found['data']
        labels = torch.tensor(found['labels'], dtype=torch.long, device=segments.device)
        scores = torch.tensor(found['scores'], dtype=torch.double, device=segments.device)
        return segment_masks(segments, len(labels), 'predicted segment'), labels, scores

    def _truth(self, sample: dict, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Masks [T, H, W], their classes [T], whether each is a crowd [T], void [G, H, W], group of each class [K]."""
        if 'gt_masks' in sample:
            groups = torch.tensor(self.meta_per_class('groups'), dtype=torch.long, device=device)
            return *true_masks(sample, device), groups
        if len(set((self.dataset_meta or {}).get('groups', []))) > 1:
            raise DataError('has no gt_masks; a map of segments is no truth of several label spaces at once.')
        segments, labels, crowd = self.panoptic_truth(sample, device)
        masks = segment_masks(segments, len(labels), 'true segment')
        one_group = torch.zeros(len(self.meta('classes')), dtype=torch.long, device=device)
        return masks, labels, crowd, segments == 0, one_group
