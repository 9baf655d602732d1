"""Models: importing this package registers all parts."""

from . import (
    backbones,
    classifiers,
    criterion,
    data_preprocessor,
    decoders,
    heads,
    queries,
    segmentors,
    space_adapter,
    text,
    tta,
)

__all__ = [
    'backbones',
    'classifiers',
    'criterion',
    'data_preprocessor',
    'decoders',
    'heads',
    'queries',
    'segmentors',
    'space_adapter',
    'text',
    'tta',
]
