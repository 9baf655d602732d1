"""Targets, matching and losses of the set prediction."""

from .criterion import SetCriterion
from .matching import match
from .point_criterion import PointCriterion
from .targets import BACKGROUND, read_targets, segment_targets, semantic_targets, unite_segments

__all__ = [
    'BACKGROUND',
    'PointCriterion',
    'SetCriterion',
    'match',
    'read_targets',
    'segment_targets',
    'semantic_targets',
    'unite_segments',
]
