"""Segmentors."""

from .multi_space import MultiSpaceSegmentor
from .tta import MultiSpaceTTA
from .union import SegmentorUnion

__all__ = ['MultiSpaceSegmentor', 'MultiSpaceTTA', 'SegmentorUnion']
