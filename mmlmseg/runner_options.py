"""What a config says of how a training is run, by options of mmengine's runners: obeyed, or refused before it starts.

``compile`` and ``activation_checkpointing`` are obeyed by hooks, ``runner_type`` and ``strategy`` by the runner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from .errors import OptionError, did_you_mean

_RUNNERS = ('Runner', 'FlexibleRunner')
_OF_MMENGINE = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
_STRATEGIES = ('SingleDeviceStrategy', 'DDPStrategy', 'mmlmseg.FSDPStrategy')

_NOT_SHARDED = {
    'mmlmseg.FreezeHook': 'it cannot tell apart the few parameters that are trained',
    'mmlmseg.FreezePartsHook': 'it cannot tell apart the parameters that are kept',
    'mmlmseg.ActivationCheckpointingHook': 'torch 2.13 keeps other tensors of a part as it runs a second time',
}


def build_runner(cfg: Config) -> Runner:
    """The runner of a training: mmengine's, or that of ``runner_type``; raises as :func:`check_strategy`."""
    check_strategy(cfg)
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def options_as_hooks(cfg: Config) -> None:
    """Turns ``compile`` and ``activation_checkpointing`` of a config into the hooks of :mod:`mmlmseg.engine.execution`.

    Default hooks that are None are left out; mmengine itself does so with its own ones only.

    Raises:
        OptionError: Where one of them is not of the form that mmengine documents.
    """
    compiled, modules = cfg.pop('compile', False), cfg.pop('activation_checkpointing', [])
    if not isinstance(compiled, (bool, Mapping)):
        raise OptionError(f'compile = {compiled!r}: write True, or options of torch.compile as a dict')
    modules = [modules] if isinstance(modules, str) else modules
    if not isinstance(modules, Sequence) or not all(isinstance(name, str) for name in modules):
        raise OptionError(f'activation_checkpointing = {modules!r}: write a list of names of modules')
    default_hooks = cfg.get('default_hooks') or {}
    for name in [name for name, hook in default_hooks.items() if hook is None and name not in _OF_MMENGINE]:
        del default_hooks[name]
    hooks = []
    if compiled is not False:
        hooks.append(dict(type='mmlmseg.CompileHook', **({} if compiled is True else compiled)))
    if modules:
        hooks.append(dict(type='mmlmseg.ActivationCheckpointingHook', modules=list(modules)))
    if hooks:
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), *hooks]


def check_strategy(cfg: Config) -> None:
    """Refuses what a config says of runner, strategy and sharding that would not be done, or would never end.

    Raises:
        OptionError: On an unknown runner or strategy, one that is not looked at, or one that mmlmseg cannot train with.
    """
    runner, strategy = cfg.get('runner_type', 'Runner'), cfg.get('strategy')
    if RUNNERS.get(runner) is None:
        raise OptionError(f'runner_type = {runner!r}: no such runner.{did_you_mean(runner, _RUNNERS)}')
    if strategy is not None and runner == 'Runner':
        raise OptionError("strategy is obeyed by mmengine's FlexibleRunner alone: add runner_type='FlexibleRunner'")
    kind = (strategy or {}).get('type', _STRATEGIES[0])
    if kind not in _STRATEGIES:
        raise OptionError(
            f'strategy.type = {kind!r}: mmlmseg trains by {", ".join(_STRATEGIES)}.{did_you_mean(kind, _STRATEGIES)}'
        )
    if kind == 'mmlmseg.FSDPStrategy':
        if cfg.launcher == 'none':
            raise OptionError(f'{kind} shards a model over several processes: start them with tools/dist_train.sh')
        hooks = {str(hook.get('type')) for hook in cfg.get('custom_hooks') or []}
        for refused, why in _NOT_SHARDED.items():
            if refused in hooks:
                raise OptionError(f'{refused} does not go with {kind}: {why}; leave one of them out')
    if 'ZeroRedundancyOptimizer' in str(cfg.optim_wrapper.get('optimizer', {}).get('type')):
        raise OptionError(
            'ZeroRedundancyOptimizer: mmengine saves a checkpoint on the first process, which would wait for the '
            "others' parts for ever; use runner_type='FlexibleRunner', strategy=dict(type='mmlmseg.FSDPStrategy')"
        )
