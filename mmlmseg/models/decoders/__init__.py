"""Decoders: transformers that turn segment queries into masks and classes."""

from .category_guided import CategoryGuidedDecoder
from .masked_attention import MaskedAttentionDecoder
from .plain import PlainDecoder

__all__ = ['CategoryGuidedDecoder', 'MaskedAttentionDecoder', 'PlainDecoder']
