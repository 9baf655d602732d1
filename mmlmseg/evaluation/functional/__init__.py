"""Metrics as pure functions on tensors."""

from .iou import ClassAreas, IoUScores, class_areas, iou_scores, joint_histogram

__all__ = ['ClassAreas', 'IoUScores', 'class_areas', 'iou_scores', 'joint_histogram']
