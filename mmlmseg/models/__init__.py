"""Models: importing this package registers all parts."""

from . import backbones, criterion, data_preprocessor, decoders, head, necks, pixel_decoders, segmentors, text

__all__ = [
    'backbones',
    'criterion',
    'data_preprocessor',
    'decoders',
    'head',
    'necks',
    'pixel_decoders',
    'segmentors',
    'text',
]
