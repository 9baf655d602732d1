"""Decoders: transformers that turn segment queries into masks and classes."""

from .category_guided import CategoryGuidedDecoder
from .joint_blocks import JointBlocks
from .masked_attention import MaskedAttentionDecoder
from .plain import PlainDecoder

__all__ = ['CategoryGuidedDecoder', 'JointBlocks', 'MaskedAttentionDecoder', 'PlainDecoder']
