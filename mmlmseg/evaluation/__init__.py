"""Metrics, and the evaluator that routes samples to those of their dataset."""

from .evaluator import MultiDatasetEvaluator
from .metrics import InstanceAP, PanopticInstanceQuality, PanopticQuality, SemanticIoU

__all__ = ['InstanceAP', 'MultiDatasetEvaluator', 'PanopticInstanceQuality', 'PanopticQuality', 'SemanticIoU']
