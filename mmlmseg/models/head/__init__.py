"""The head of all methods, and the parts that are built into it."""

from . import classifiers, queries, space_adapter
from .query_head import QueryHead

__all__ = ['QueryHead', 'classifiers', 'queries', 'space_adapter']
