"""Metrics, and the evaluator that routes samples to those of their dataset."""

from .evaluator import MultiDatasetEvaluator
from .metrics import PanopticInstanceQuality, PanopticQuality, SemanticIoU

__all__ = ['MultiDatasetEvaluator', 'PanopticInstanceQuality', 'PanopticQuality', 'SemanticIoU']
