"""Registries of mmlmseg, children of mmengine's root registries.

A type written ``mmlmseg.X`` in a config is found here from any default scope. What is built through them, also parts
of other packages, is refused with an OptionError where its config names an unknown type or key.
"""

from __future__ import annotations

from typing import Any

from mmengine import registry as root
from mmengine.registry import Registry

from .arguments import check_arguments


def _child(parent: Registry, location: str) -> Registry:
    def build(config: Any, *args: Any, registry: Registry, **kwargs: Any) -> Any:
        check_arguments(config, registry)
        return parent.build_func(config, *args, registry=registry, **kwargs)

    return Registry(parent.name, parent=parent, scope='mmlmseg', locations=[location], build_func=build)


MODELS = _child(root.MODELS, 'mmlmseg.models')
DATASETS = _child(root.DATASETS, 'mmlmseg.datasets')
TRANSFORMS = _child(root.TRANSFORMS, 'mmlmseg.datasets')
DATA_SAMPLERS = _child(root.DATA_SAMPLERS, 'mmlmseg.datasets')
METRICS = _child(root.METRICS, 'mmlmseg.evaluation')
EVALUATOR = _child(root.EVALUATOR, 'mmlmseg.evaluation')
VISUALIZERS = _child(root.VISUALIZERS, 'mmlmseg.visualization')
HOOKS = _child(root.HOOKS, 'mmlmseg.engine')
LOG_PROCESSORS = _child(root.LOG_PROCESSORS, 'mmlmseg.engine')
LOOPS = _child(root.LOOPS, 'mmlmseg.engine')
OPTIM_WRAPPERS = _child(root.OPTIM_WRAPPERS, 'mmlmseg.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(root.OPTIM_WRAPPER_CONSTRUCTORS, 'mmlmseg.engine')
STRATEGIES = _child(root.STRATEGIES, 'mmlmseg.engine')
