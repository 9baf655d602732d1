"""Datasets, what joins them, and what decides which of their samples meet in a batch."""

from __future__ import annotations

from .augment import PhotoMetricDistortion, RandomCrop, RandomFlip
from .checks import CheckImage, CheckLabels
from .coco_instances import InstanceDataset
from .coco_panoptic import PanopticDataset
from .folder import FolderDataset
from .guards import Trace
from .load_image import CheckDepth, LoadImage, Pad
from .multi import MultiDataset
from .multi_space import MultiSpaceFolderDataset
from .public import ADE20KPanopticDataset, CityscapesPanopticDataset, COCOPanopticDataset, MapillaryVistas65Dataset
from .samplers import DatasetPerRankSampler, PerImageSampler, SameDatasetSampler
from .transforms import LoadAnnotations, LoadSegments, PackSegments, RandomRangeCrop, ResizeShortestEdge

__all__ = [
    'ADE20KPanopticDataset',
    'COCOPanopticDataset',
    'CheckDepth',
    'CheckImage',
    'CheckLabels',
    'CityscapesPanopticDataset',
    'DatasetPerRankSampler',
    'FolderDataset',
    'InstanceDataset',
    'LoadAnnotations',
    'LoadImage',
    'LoadSegments',
    'MapillaryVistas65Dataset',
    'MultiDataset',
    'MultiSpaceFolderDataset',
    'PackSegments',
    'Pad',
    'PanopticDataset',
    'PerImageSampler',
    'PhotoMetricDistortion',
    'RandomCrop',
    'RandomFlip',
    'RandomRangeCrop',
    'ResizeShortestEdge',
    'SameDatasetSampler',
    'Trace',
]
