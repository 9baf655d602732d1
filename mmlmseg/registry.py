"""Registries of mmlmseg, children of mmengine's root registries.

A type written ``mmlmseg.X`` in a config is found here from any default scope.
"""

from __future__ import annotations

from mmengine.registry import DATA_SAMPLERS as ROOT_DATA_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import EVALUATOR as ROOT_EVALUATOR
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import LOOPS as ROOT_LOOPS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPERS as ROOT_OPTIM_WRAPPERS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import VISUALIZERS as ROOT_VISUALIZERS
from mmengine.registry import Registry


def _child(parent: Registry, location: str) -> Registry:
    return Registry(parent.name, parent=parent, scope='mmlmseg', locations=[location])


MODELS = _child(ROOT_MODELS, 'mmlmseg.models')
DATASETS = _child(ROOT_DATASETS, 'mmlmseg.datasets')
TRANSFORMS = _child(ROOT_TRANSFORMS, 'mmlmseg.datasets')
DATA_SAMPLERS = _child(ROOT_DATA_SAMPLERS, 'mmlmseg.datasets')
METRICS = _child(ROOT_METRICS, 'mmlmseg.evaluation')
EVALUATOR = _child(ROOT_EVALUATOR, 'mmlmseg.evaluation')
VISUALIZERS = _child(ROOT_VISUALIZERS, 'mmlmseg.visualization')
LOOPS = _child(ROOT_LOOPS, 'mmlmseg.engine')
HOOKS = _child(ROOT_HOOKS, 'mmlmseg.engine')
OPTIM_WRAPPERS = _child(ROOT_OPTIM_WRAPPERS, 'mmlmseg.engine')
