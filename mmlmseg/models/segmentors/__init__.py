"""Segmentors."""

from .multi_space import MultiSpaceSegmentor

__all__ = ['MultiSpaceSegmentor']
