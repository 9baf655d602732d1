"""Prediction for users."""

from .inferencer import LMSegInferencer
from .inputs import Image, expand_inputs, read_image
from .masks import Mask, MaskSegmentation
from .results import Segmentation

__all__ = ['Image', 'LMSegInferencer', 'Mask', 'MaskSegmentation', 'Segmentation', 'expand_inputs', 'read_image']
