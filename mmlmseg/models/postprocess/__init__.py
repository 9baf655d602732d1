"""From query predictions to results, as pure functions."""

from __future__ import annotations

from .geometry import restore
from .instance import Instances, instances
from .mixed import Duplicates, MixedSegments, exclusive_groups, mixed_segments, same_meaning
from .panoptic import Candidates, PanopticThresholds, Segments, candidates, panoptic_segments
from .semantic import semantic_probabilities

__all__ = [
    'Candidates',
    'Duplicates',
    'Instances',
    'MixedSegments',
    'PanopticThresholds',
    'Segments',
    'candidates',
    'exclusive_groups',
    'instances',
    'mixed_segments',
    'panoptic_segments',
    'restore',
    'same_meaning',
    'semantic_probabilities',
]
