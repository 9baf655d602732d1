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

__all__ = [
    'ClassAreas',
    'IoUScores',
    'PanopticCounts',
    'PanopticScores',
    'class_areas',
    'class_segments',
    'iou_scores',
    'joint_histogram',
    'mean_scores',
    'panoptic_counts',
    'panoptic_scores',
]
