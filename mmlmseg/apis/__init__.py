"""Prediction for users."""

from .inferencer import LMSegInferencer
from .inputs import expand_inputs, read_image
from .results import Mask, MaskSegmentation, Result, Segmentation

__all__ = ['LMSegInferencer', 'Mask', 'MaskSegmentation', 'Result', 'Segmentation', 'expand_inputs', 'read_image']
