"""From query predictions to results, as pure functions."""

from .geometry import restore
from .panoptic import PanopticThresholds, Segments, panoptic_segments
from .semantic import semantic_probabilities

__all__ = ['PanopticThresholds', 'Segments', 'panoptic_segments', 'restore', 'semantic_probabilities']
