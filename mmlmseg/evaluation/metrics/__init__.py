"""Registered metrics: thin shells over :mod:`mmlmseg.evaluation.functional`."""

from .instance import InstanceAP
from .iou import SemanticIoU
from .panoptic import PanopticInstanceQuality, PanopticQuality

__all__ = ['InstanceAP', 'PanopticInstanceQuality', 'PanopticQuality', 'SemanticIoU']
