"""Targets, matching and losses of the set prediction."""

from .criterion import SetCriterion
from .matching import match
from .point_criterion import PointCriterion
from .targets import read_targets, semantic_targets

__all__ = ['PointCriterion', 'SetCriterion', 'match', 'read_targets', 'semantic_targets']
