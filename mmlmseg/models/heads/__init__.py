"""Decode heads."""

from .query_head import QueryHead

__all__ = ['QueryHead']
