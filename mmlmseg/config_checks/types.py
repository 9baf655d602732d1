"""Types that a config names and keys that it gives to them: those that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS, OPTIMIZERS, PARAM_SCHEDULERS, Registry
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from ..arguments import check_arguments, check_keys, find_type, keys_of, named, required_keys
from ..errors import OptionError
from ..registry import (
    DATA_SAMPLERS,
    DATASETS,
    EVALUATOR,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    TRANSFORMS,
    VISUALIZERS,
)

_PARTS_OF_MODELS = (
    *('backbone', 'neck', 'decode_head', 'auxiliary_head', 'data_preprocessor', 'module'),
    *('pixel_decoder', 'queries', 'decoder', 'classifier', 'criterion', 'text', 'encoder', 'adapters'),
)
_BY_NAME = ('adapters', 'per_dataset')  # dicts of configs
_MAY_LACK_TYPE = ('encoder', 'decoder')  # of the parts of mmdet
# All that these are built from stands in the config.
_COMPLETE = ('model', 'backbone', 'neck', 'decode_head', 'dataset', 'datasets', 'pipeline', 'transforms', 'metrics')
# Whose type alone is looked up: what builds them takes off some keys.
_TYPES_ONLY = {
    **dict.fromkeys(('norm_cfg', 'act_cfg', 'conv_cfg'), MODELS),
    **dict.fromkeys(('collate_fn', 'worker_init_fn'), FUNCTIONS),
}
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
_PLAIN_CONSTRUCTORS = ('DefaultOptimWrapperConstructor', 'MergedGroupsConstructor')  # others take keys of their own
_OF_PARAMWISE = (
    *('custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'flat_decay_mult', 'dwconv_decay_mult'),
    *('dcn_offset_lr_mult', 'bypass_duplicate', 'base_lr', 'base_wd'),
)
_OF_SCHEDULER = ('convert_to_iter_based', 'epoch_length')
_OF_LOADER = ('num_batch_per_epoch', 'disable_subprocess_warning')


def check_types(cfg: Config, splits: Sequence[str]) -> None:
    """Looks up every type of the parts of a run, and compares what is given to it with what it takes.

    Raises:
        OptionError: On an unknown type or key, on one that is missing, and on an evaluator without metrics, which
            mmengine takes for a metric.
    """
    if cfg.get('model'):
        check_built(cfg.model, MODELS, 'model')
    for split in splits:
        if (cfg.get(f'{split}_cfg') or {}).get('type'):  # without one it is mmengine's
            check_built(cfg[f'{split}_cfg'], LOOPS, f'{split}_cfg')
        if isinstance(loader := cfg.get(f'{split}_dataloader'), Mapping):
            check_keys(loader, [*(keys_of(DataLoader) or ()), *_OF_LOADER], f'{split}_dataloader')
            _check_parts(loader, f'{split}_dataloader')
        if evaluator := cfg.get(f'{split}_evaluator'):
            _check_evaluator(evaluator, f'{split}_evaluator')
    if 'train' in splits:
        _check_optimisation(cfg)
    for name, hook in (cfg.get('default_hooks') or {}).items():
        check_built(hook, HOOKS, f'default_hooks.{name}')
    for i, hook in enumerate(cfg.get('custom_hooks') or []):
        if not isinstance(hook, (Mapping, Hook)):
            raise OptionError(f"custom_hooks[{i}] = {hook!r}: write a dict with a type, dict(type='...')")
        check_built(hook, HOOKS, f'custom_hooks[{i}]')
    if cfg.get('visualizer'):
        check_built(cfg.visualizer, VISUALIZERS, 'visualizer')


def check_built(value: Any, registry: Registry, where: str) -> None:
    """Checks what is built from a config, and what that builds from the dicts inside.

    Args:
        value: A config, or a list of such; anything else passes.
        registry: Where its type is looked up.
        where: Its place in the whole config.
    """
    if isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            check_built(inner, registry, f'{where}[{i}]')
    if not isinstance(value, Mapping):
        return
    key = where.rpartition('.')[2].partition('[')[0]
    if value.get('type') is None and key in _MAY_LACK_TYPE:
        return
    kind = find_type(value, registry, where)
    check_arguments(value, registry, where)
    if key in _COMPLETE:
        for needed in required_keys(kind):
            if value.get(needed) is None:
                raise OptionError(f'{named(value, where)} has no {needed}, which it cannot do without')
    _check_parts(value, where)


def _check_parts(config: Mapping[str, Any], where: str) -> None:
    for key, inner in config.items():
        if key in _BY_NAME and isinstance(inner, Mapping):
            for name, one in inner.items():
                check_built(one, _REGISTRIES[key], f'{where}.{key}.{name}')
        elif key in _REGISTRIES:
            check_built(inner, _REGISTRIES[key], f'{where}.{key}')
        elif key in _TYPES_ONLY and isinstance(inner, Mapping) and 'type' in inner:
            find_type(inner, _TYPES_ONLY[key], f'{where}.{key}')


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
        own = {'type': wrapper.get('constructor') or 'DefaultOptimWrapperConstructor'}
        constructor = find_type(own, OPTIM_WRAPPER_CONSTRUCTORS, 'optim_wrapper.constructor')
        if constructor.__name__ in _PLAIN_CONSTRUCTORS:
            ours = ('layer_decay',) if constructor.__name__ == 'MergedGroupsConstructor' else ()
            given = wrapper.get('paramwise_cfg') or {}
            check_keys(given, [*_OF_PARAMWISE, *ours], 'optim_wrapper.paramwise_cfg')
        if isinstance(clip := wrapper.get('clip_grad'), Mapping):
            function = clip_grad_value_ if clip.get('type') == 'value' else clip_grad_norm_
            check_keys(clip, ['type', *(keys_of(function) or ())[1:]], 'optim_wrapper.clip_grad')
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
