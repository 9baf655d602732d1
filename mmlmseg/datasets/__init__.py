"""Datasets, what joins them, and what decides which of their samples meet in a batch."""

from __future__ import annotations

from .checks import CheckLabels
from .folder import FolderDataset
from .mapillary import MapillaryVistas65Dataset
from .multi import MultiDataset
from .samplers import DatasetPerRankSampler, MixedSampler, SameDatasetSampler

__all__ = [
    'CheckLabels',
    'DatasetPerRankSampler',
    'FolderDataset',
    'MapillaryVistas65Dataset',
    'MixedSampler',
    'MultiDataset',
    'SameDatasetSampler',
]
