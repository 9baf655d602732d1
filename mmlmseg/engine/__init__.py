"""What drives training beyond mmengine's own loops."""

from __future__ import annotations

from .freeze import FreezeHook
from .hooks import CheckLabelSpacesHook
from .loops import ResumableTrainLoop
from .optim_constructor import MergedGroupsConstructor
from .optim_wrapper import BFloat16OptimWrapper

__all__ = [
    'BFloat16OptimWrapper',
    'CheckLabelSpacesHook',
    'FreezeHook',
    'MergedGroupsConstructor',
    'ResumableTrainLoop',
]
