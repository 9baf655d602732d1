"""The heads, and the parts that are built into it."""

from . import adapters, classifiers, queries
from .encoder_only_head import EncoderOnlyHead
from .query_head import QueryHead

__all__ = ['EncoderOnlyHead', 'QueryHead', 'adapters', 'classifiers', 'queries']
