"""Segmentors."""

from .multi_space import MultiSpaceSegmentor
from .tta import MultiSpaceTTA

__all__ = ['MultiSpaceSegmentor', 'MultiSpaceTTA']
