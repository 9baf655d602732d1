"""Metrics, and the evaluator that routes samples to those of their dataset."""

from .evaluator import MultiDatasetEvaluator
from .metrics import SemanticIoU

__all__ = ['MultiDatasetEvaluator', 'SemanticIoU']
