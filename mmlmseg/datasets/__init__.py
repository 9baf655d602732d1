"""Datasets, what joins them, and what decides which of their samples meet in a batch."""

from __future__ import annotations

from .checks import CheckLabels
from .coco_panoptic import ADE20KPanopticDataset, CityscapesPanopticDataset, COCOPanopticDataset, PanopticDataset
from .crops import RandomRangeCrop
from .folder import FolderDataset
from .mapillary import MapillaryVistas65Dataset
from .mixed import LoadMixedAnnotations, MixedFolderDataset, PackMixedInputs
from .multi import MultiDataset
from .panoptic_transforms import LoadPanopticAnnotations, PackPanopticInputs
from .samplers import DatasetPerRankSampler, MixedSampler, SameDatasetSampler

__all__ = [
    'ADE20KPanopticDataset',
    'COCOPanopticDataset',
    'CheckLabels',
    'CityscapesPanopticDataset',
    'DatasetPerRankSampler',
    'FolderDataset',
    'LoadMixedAnnotations',
    'LoadPanopticAnnotations',
    'MapillaryVistas65Dataset',
    'MixedFolderDataset',
    'MixedSampler',
    'MultiDataset',
    'PackMixedInputs',
    'PackPanopticInputs',
    'PanopticDataset',
    'RandomRangeCrop',
    'SameDatasetSampler',
]
