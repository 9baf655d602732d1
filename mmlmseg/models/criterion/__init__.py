"""Targets, matching and losses of the set prediction."""

from .criterion import SetCriterion
from .matching import match
from .targets import segment_targets, semantic_targets, unite_segments

__all__ = ['SetCriterion', 'match', 'segment_targets', 'semantic_targets', 'unite_segments']
