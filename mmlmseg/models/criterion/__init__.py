"""Targets, matching and losses of the set prediction."""

from .criterion import SetCriterion
from .matching import match
from .targets import semantic_targets

__all__ = ['SetCriterion', 'match', 'semantic_targets']
