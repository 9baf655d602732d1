"""The head of all methods, and the parts that are built into it."""

from . import adapters, classifiers, queries
from .query_head import QueryHead

__all__ = ['QueryHead', 'adapters', 'classifiers', 'queries']
