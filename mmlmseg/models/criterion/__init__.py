"""Targets, matching and losses of the set prediction."""

from .criterion import SetCriterion
from .matching import match
from .point_criterion import PointCriterion
from .targets import BACKGROUND, segment_targets, semantic_targets, unite_segments

__all__ = [
    'BACKGROUND',
    'PointCriterion',
    'SetCriterion',
    'match',
    'segment_targets',
    'semantic_targets',
    'unite_segments',
]
