"""Masks in several label spaces, as metrics read them from samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...errors import DataError


class PredictedMasks(NamedTuple):
    """Masks that may overlap.

    Attributes:
        masks: bool [P, H, W].
        labels: long [P], indices into ``dataset_meta['classes']``.
        scores: [P].
    """

    masks: Tensor
    labels: Tensor
    scores: Tensor


class TrueMasks(NamedTuple):
    """The truth in several label spaces.

    Attributes:
        masks: bool [T, H, W].
        labels: long [T], indices into ``dataset_meta['classes']``.
        crowd: bool [T].
        void: bool [S, H, W], where each space has no truth.
    """

    masks: Tensor
    labels: Tensor
    crowd: Tensor
    void: Tensor


def predicted_masks(sample: Mapping[str, Any]) -> PredictedMasks:
    """What the ``pred_masks`` of a sample claim: a mask that several spaces say is a prediction in each of them."""
    found = sample['pred_masks']
    masks, labels, scores = found['masks'], found['labels'], found['scores']
    if 'origins' not in found:
        return PredictedMasks(masks, labels, scores)
    pairs = [(i, label) for i, origins in enumerate(found['origins']) for label in origins]
    rows, said = torch.tensor(pairs, dtype=torch.long, device=labels.device).reshape(-1, 2).unbind(1)
    return PredictedMasks(masks[rows], said, scores[rows])


def true_masks(sample: Mapping[str, Any], device: torch.device) -> TrueMasks:
    """The truth of ``gt_masks`` and ``gt_void``.

    Raises:
        DataError: Where the latter is missing.
    """
    if 'gt_void' not in sample:
        raise DataError('has gt_masks but no gt_void, which tells where each label space has no truth.')
    truth = sample['gt_masks']
    parts = truth['masks'], truth['labels'], truth['crowd'], sample['gt_void']['data']
    return TrueMasks(*(part.to(device) for part in parts))
