"""Prediction for users."""

from .inferencer import LMSegInferencer
from .inputs import Image, expand_inputs, read_image
from .results import Segmentation

__all__ = ['Image', 'LMSegInferencer', 'Segmentation', 'expand_inputs', 'read_image']
