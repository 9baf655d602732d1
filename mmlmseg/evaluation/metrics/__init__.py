"""Registered metrics: thin shells over :mod:`mmlmseg.evaluation.functional`."""

from .iou import SemanticIoU
from .panoptic import PanopticQuality
from .piq import PanopticInstanceQuality

__all__ = ['PanopticInstanceQuality', 'PanopticQuality', 'SemanticIoU']
