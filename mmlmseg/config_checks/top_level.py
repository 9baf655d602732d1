"""The entries of a config: which have to be there, which are read by nothing."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.runner import FlexibleRunner, LogProcessor, Runner

from ..arguments import check_keys, keys_of
from ..errors import OptionError, did_you_mean

PARTS = {  # of which mmengine takes all, or none
    'train': ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    'val': ('val_dataloader', 'val_cfg', 'val_evaluator'),
    'test': ('test_dataloader', 'test_cfg', 'test_evaluator'),
}
_OTHERS = (  # that no runner takes as an argument
    *('activation_checkpointing', 'custom_imports', 'efficient_conv_bn_eval', 'find_unused_parameters'),
    *('model_wrapper_cfg', 'runner_type', 'tta_model', 'tta_pipeline', 'tta_pipelines'),
)
_READ = list(dict.fromkeys([*(keys_of(Runner) or ()), *(keys_of(FlexibleRunner) or ()), *_OTHERS]))
_KEYS = {
    'randomness': [key for key in keys_of(Runner.set_randomness) or () if key != 'self'],
    'env_cfg': ['cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'],
    'auto_scale_lr': ['enable', 'base_batch_size'],
    'log_processor': ['type', *(keys_of(LogProcessor) or ())],
}
_SCOPES = ('mmseg', 'mmdet', 'mmengine', 'mmlmseg')
_OF_OLD_CONFIGS = {
    'resume_from': 'write load_from=..., resume=True, or call tools/train.py --resume FILE',
    'lr_config': 'write param_scheduler',
    'checkpoint_config': 'write default_hooks=dict(checkpoint=...)',
    'log_config': 'write default_hooks=dict(logger=...)',
    'evaluation': 'write train_cfg=dict(val_interval=...) and val_evaluator',
    'gpu_ids': 'set CUDA_VISIBLE_DEVICES, or start several processes by tools/dist_train.sh',
    'device': 'a run takes the accelerator that is there; CUDA_VISIBLE_DEVICES chooses which, and empty the CPU',
}


def require(cfg: Config, split: str) -> None:
    """Raises an OptionError where a config lacks what a training (``train``) or a test (``test``) is made of."""
    for key in ('model', *PARTS[split]):
        if cfg.get(key) is None:
            others = [other for other in cfg if other not in _READ]
            raise OptionError(f'{cfg.filename}: has no {key}.{did_you_mean(key, others)}')


def check_top_level(cfg: Config, splits: Sequence[str]) -> None:
    """Refuses entries of old configs, parts that are not whole, hooks that would never come or no seed."""
    for key, instead in _OF_OLD_CONFIGS.items():
        if cfg.get(key) is not None:
            raise OptionError(f'{key} = {cfg[key]!r} is not obeyed: {instead}')
    for split in splits:
        given = [key for key in PARTS[split] if cfg.get(key) is not None]
        if given and (missing := [key for key in PARTS[split] if key not in given]):
            raise OptionError(f'the config has {", ".join(given)}, but no {", ".join(missing)}: give all, or none')
    seed = (cfg.get('randomness') or {}).get('seed')
    if seed is not None and (not isinstance(seed, int) or not 0 <= seed < 2**32):
        raise OptionError(f'randomness.seed = {seed!r}: give an integer from 0 to {2**32 - 1}, or None to draw one')
    for key, known in _KEYS.items():
        if isinstance(given := cfg.get(key), Mapping):
            check_keys(given, known, key)
    scope = cfg.get('default_scope') or 'mmseg'
    if importlib.util.find_spec(scope) is None:
        raise OptionError(f'default_scope = {scope!r}: no such package.{did_you_mean(scope, _SCOPES)}')
    hooks: dict[str, Any] = {f'default_hooks.{name}': hook for name, hook in (cfg.get('default_hooks') or {}).items()}
    hooks |= {f'custom_hooks[{i}]': hook for i, hook in enumerate(cfg.get('custom_hooks') or [])}
    for where, hook in hooks.items():
        for key, never in ('interval', 'no checkpoint on the way'), ('max_keep_ckpts', 'all of them'):
            number = hook.get(key) if isinstance(hook, Mapping) else None
            saves = 'CheckpointHook' in str(hook.get('type')) if number is not None else False
            if number is not None and not (saves and number == -1) and (not isinstance(number, int) or number < 1):
                other = f', or -1 for {never}' if saves else ''
                raise OptionError(f'{where}.{key} = {number!r}: give an integer of at least 1{other}')


def check_overrides(cfg: Config, overrides: Mapping[str, Any]) -> None:
    """Refuses options of ``--cfg-options`` whose first word is neither in the config nor read by anything."""
    for option in overrides:
        key = option.split('.')[0]
        if key not in cfg and key not in _READ:
            raise OptionError(
                f'--cfg-options {option}: the config has no {key!r}, and nothing reads it.'
                f'{did_you_mean(key, [*_READ, *cfg])}'
            )


def top_level_cautions(cfg: Config) -> list[str]:
    """Names entries that look like others, misspelt; a config may hold any names of its own."""
    best = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    said = []
    if best is not None and not cfg.get('val_dataloader'):
        said.append(f'default_hooks.checkpoint.save_best = {best!r}: there is no validation, so no best is kept')
    near = {key: difflib.get_close_matches(key, _READ, n=1, cutoff=0.9) for key in cfg if key not in _READ}
    said += [
        f'the entry {key!r} of the config is read by nothing. Did you mean: {n[0]}?' for key, n in near.items() if n
    ]
    return said
