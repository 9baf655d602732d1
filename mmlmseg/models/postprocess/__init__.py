"""From query predictions to results, as pure functions."""

from __future__ import annotations

from .geometry import restore
from .instance import instances
from .mixed import Duplicates, exclusive_groups, panoptic_segments, same_meaning
from .panoptic import Candidates, PanopticThresholds, candidates, compete
from .semantic import semantic_probabilities

__all__ = [
    'Candidates',
    'Duplicates',
    'PanopticThresholds',
    'candidates',
    'compete',
    'exclusive_groups',
    'instances',
    'panoptic_segments',
    'restore',
    'same_meaning',
    'semantic_probabilities',
]
