"""Segmentors."""

from .multi_space import MultiSpaceSegmentor
from .union import SegmentorUnion

__all__ = ['MultiSpaceSegmentor', 'SegmentorUnion']
