"""Datasets, what joins them, and what decides which of their samples meet in a batch."""

from __future__ import annotations

from .checks import CheckLabels
from .coco_panoptic import PanopticDataset
from .folder import FolderDataset
from .multi import MultiDataset
from .multi_space import MultiSpaceFolderDataset
from .public import ADE20KPanopticDataset, CityscapesPanopticDataset, COCOPanopticDataset, MapillaryVistas65Dataset
from .samplers import DatasetPerRankSampler, PerImageSampler, SameDatasetSampler
from .transforms import LoadSegments, PackSegments, RandomRangeCrop

__all__ = [
    'ADE20KPanopticDataset',
    'COCOPanopticDataset',
    'CheckLabels',
    'CityscapesPanopticDataset',
    'DatasetPerRankSampler',
    'FolderDataset',
    'LoadSegments',
    'MapillaryVistas65Dataset',
    'MultiDataset',
    'MultiSpaceFolderDataset',
    'PackSegments',
    'PanopticDataset',
    'PerImageSampler',
    'RandomRangeCrop',
    'SameDatasetSampler',
]
