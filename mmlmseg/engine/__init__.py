"""What drives training beyond mmengine's own loops."""

from __future__ import annotations

from .checkpoint_hook import CheckpointHook
from .class_frequency import ClassFrequencyHook
from .execution import ActivationCheckpointingHook, CompileHook
from .freeze import FreezeHook, FreezePartsHook
from .hooks import CheckLabelSpacesHook
from .log_processor import LogProcessor
from .loops import ResumableTrainLoop
from .optim_constructor import MergedGroupsConstructor
from .optim_wrapper import BFloat16OptimWrapper
from .preemption import PreemptionHook
from .strategy import FSDPStrategy
from .visualization import VisualizationHook

__all__ = [
    'ActivationCheckpointingHook',
    'BFloat16OptimWrapper',
    'CheckLabelSpacesHook',
    'CheckpointHook',
    'ClassFrequencyHook',
    'CompileHook',
    'FSDPStrategy',
    'FreezeHook',
    'FreezePartsHook',
    'LogProcessor',
    'MergedGroupsConstructor',
    'PreemptionHook',
    'ResumableTrainLoop',
    'VisualizationHook',
]
