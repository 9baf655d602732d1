"""Registered metrics: thin shells over :mod:`mmlmseg.evaluation.functional`."""

from .iou import SemanticIoU

__all__ = ['SemanticIoU']
