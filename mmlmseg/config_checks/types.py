"""Types that a config names and keys that it gives to them: those that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import OPTIMIZERS, PARAM_SCHEDULERS, Registry
from torch.utils.data import DataLoader

from ..arguments import check_arguments, check_keys, keys_of
from ..errors import OptionError
from ..registry import (
    DATA_SAMPLERS,
    DATASETS,
    EVALUATOR,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    TRANSFORMS,
    VISUALIZERS,
)

_PARTS_OF_MODELS = (
    *('backbone', 'neck', 'decode_head', 'auxiliary_head', 'data_preprocessor', 'module'),
    *('pixel_decoder', 'queries', 'decoder', 'classifier', 'criterion', 'text', 'encoder', 'adapters'),
)
# Which registry tells what stands under a key, anywhere in a config.
_REGISTRIES: dict[str, Registry] = {
    **dict.fromkeys(_PARTS_OF_MODELS, MODELS),
    **dict.fromkeys(('dataset', 'datasets'), DATASETS),
    **dict.fromkeys(('pipeline', 'transforms'), TRANSFORMS),
    **dict.fromkeys(('sampler', 'batch_sampler'), DATA_SAMPLERS),
    **dict.fromkeys(('metrics', 'per_dataset'), METRICS),
    'optimizer': OPTIMIZERS,
}
# Keys that mmengine takes off before the class sees them.
_OF_OPTIM_WRAPPER = ('constructor', 'paramwise_cfg')
_OF_SCHEDULER = ('convert_to_iter_based', 'epoch_length')
_OF_LOADER = ('num_batch_per_epoch', 'disable_subprocess_warning')


def check_types(cfg: Config, splits: Sequence[str]) -> None:
    """Looks up every type of the parts of a run, and compares what is given to it with what it takes.

    Raises:
        OptionError: On an unknown type or key, and on an evaluator without metrics, which mmengine takes for a metric.
    """
    check_built(cfg.get('model'), MODELS, 'model')
    for split in splits:
        check_built(cfg.get(f'{split}_cfg'), LOOPS, f'{split}_cfg')
        if isinstance(loader := cfg.get(f'{split}_dataloader'), Mapping):
            check_keys(loader, [*(keys_of(DataLoader) or ()), *_OF_LOADER], f'{split}_dataloader')
            check_built(loader, None, f'{split}_dataloader')
        if evaluator := cfg.get(f'{split}_evaluator'):
            _check_evaluator(evaluator, f'{split}_evaluator')
    if 'train' in splits:
        _check_optimisation(cfg)
    for name, hook in (cfg.get('default_hooks') or {}).items():
        check_built(hook, HOOKS, f'default_hooks.{name}')
    check_built(cfg.get('custom_hooks'), HOOKS, 'custom_hooks')
    check_built(cfg.get('visualizer'), VISUALIZERS, 'visualizer')


def check_built(value: Any, registry: Registry | None, where: str) -> None:
    """Checks what is built from a config, and what that builds from the dicts inside.

    Args:
        value: A config, a list of such, or a dict of such by name; anything else passes.
        registry: Where its type is looked up; None for a dict that is no config itself.
        where: Its place in the whole config.
    """
    if isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            check_built(inner, registry, f'{where}[{i}]')
    if not isinstance(value, Mapping):
        return
    by_name = registry is not None and 'type' not in value
    if registry is not None and not by_name:
        check_arguments(value, registry, where)
    for key, inner in value.items():
        if by_name or key in _REGISTRIES:
            check_built(inner, registry if by_name else _REGISTRIES[key], f'{where}.{key}')


def without(config: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """A config less some keys."""
    return {key: value for key, value in config.items() if key not in keys}


def schedulers(cfg: Config) -> list[Mapping[str, Any]]:
    """The configs of the schedulers."""
    own = cfg.get('param_scheduler') or []
    return [one for one in (own if isinstance(own, (list, tuple)) else [own]) if isinstance(one, Mapping)]


def _check_optimisation(cfg: Config) -> None:
    wrapper = cfg.get('optim_wrapper')
    if isinstance(wrapper, Mapping) and isinstance(wrapper.get('optimizer'), Mapping):
        given = {'type': 'OptimWrapper', **without(wrapper, _OF_OPTIM_WRAPPER)}
        check_built(given, OPTIM_WRAPPERS, 'optim_wrapper')
    check_built([without(one, _OF_SCHEDULER) for one in schedulers(cfg)], PARAM_SCHEDULERS, 'param_scheduler')


def _check_evaluator(evaluator: Any, where: str) -> None:
    if not isinstance(evaluator, Mapping):
        check_built(evaluator, METRICS, where)
    elif 'metrics' in evaluator:
        check_built({'type': 'Evaluator', **evaluator}, EVALUATOR, where)
    elif isinstance(kind := evaluator.get('type'), str) and EVALUATOR.get(kind) is not None:
        raise OptionError(f"{where} ({kind}) has no metrics: add metrics=dict(type='mmlmseg.SemanticIoU'), or a list")
    else:
        check_built(evaluator, METRICS, where)
