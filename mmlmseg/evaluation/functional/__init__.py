"""Metrics as pure functions on tensors."""

from .iou import ClassAreas, IoUScores, class_areas, iou_scores, joint_histogram
from .panoptic import (
    PanopticCounts,
    PanopticScores,
    class_segments,
    mean_scores,
    panoptic_counts,
    panoptic_scores,
)
from .piq import Matching, check_matching, piq_counts

__all__ = [
    'ClassAreas',
    'IoUScores',
    'Matching',
    'PanopticCounts',
    'PanopticScores',
    'check_matching',
    'class_areas',
    'class_segments',
    'iou_scores',
    'joint_histogram',
    'mean_scores',
    'panoptic_counts',
    'panoptic_scores',
    'piq_counts',
]
