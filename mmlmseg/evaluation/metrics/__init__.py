"""Registered metrics: thin shells over :mod:`mmlmseg.evaluation.functional`."""

from .iou import SemanticIoU
from .panoptic import PanopticQuality

__all__ = ['PanopticQuality', 'SemanticIoU']
