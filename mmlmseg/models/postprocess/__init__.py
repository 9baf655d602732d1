"""From query predictions to results, as pure functions."""

from .semantic import restore, semantic_probabilities

__all__ = ['restore', 'semantic_probabilities']
