"""Resuming with other settings: the optimiser and its schedule follow the config, and what cannot is said.

mmengine restores both from the checkpoint, with all options: a longer schedule would go on at the learning rate that
the shorter one ended with, and another learning rate in the config would not be read.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from ..arguments import keys_of
from ..errors import CheckpointError, OptionError
from .optim_constructor import check_groups

# Of a scheduler's state, what moves as it is stepped; all else is what the config made of it.
_MOVING = ('last_step', '_global_step', '_last_value', 'verbose')
# Of a group's options, how the machine computes a step.
_TECHNICAL = ('foreach', 'fused', 'capturable', 'differentiable')


class ResumeHook(Hook):
    """Lets a resumed run follow its config; :class:`mmlmseg.engine.ResumableTrainLoop` brings it."""

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Notes how many samples a step has, over all processes."""
        checkpoint['meta']['batch_size'] = _batch_size(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Changes what will be restored, and logs what differs from the checkpoint."""
        if not getattr(runner, '_resume', False) or 'optimizer' not in checkpoint:
            return
        meta = checkpoint['meta']
        said = [
            _end(meta['iter'], runner.max_iters),
            _seed(meta.get('seed'), (runner.cfg.get('randomness') or {}).get('seed')),
            _batch(meta.get('batch_size'), _batch_size(runner)),
        ]
        if isinstance(runner.optim_wrapper, OptimWrapper):
            said.append(follow_config(checkpoint, runner.optim_wrapper, runner.param_schedulers or []))
        for line in filter(None, said):
            runner.logger.warning(line)


def follow_config(checkpoint: dict[str, Any], optim_wrapper: OptimWrapper, schedulers: Sequence[Any]) -> str:
    """Puts the options of an optimiser and its schedulers in place of those that a checkpoint would restore.

    The schedulers are stepped to where an undisturbed run of the config would have them. Nothing is done where the
    config says what it said.

    Args:
        checkpoint: Its ``optimizer`` and ``param_schedulers`` are changed.
        optim_wrapper: As the config makes it, before a step.
        schedulers: Likewise; they are moved.

    Returns:
        What differs; an empty string where nothing does.

    Raises:
        CheckpointError: Where the optimiser is another than in the checkpoint, or has other groups of parameters.
        OptionError: Where the schedule goes by scores, so that nothing tells where it would stand.
    """
    check_groups(optim_wrapper.optimizer, checkpoint['optimizer'])
    own, saved = optim_wrapper.param_groups, _saved_groups(checkpoint['optimizer'])
    options = [key for key in keys_of(type(optim_wrapper.optimizer)) or ['lr'] if key != 'params']
    missing = [key for key in options if key in own[0] and key not in saved[0] and key not in _TECHNICAL]
    if len(missing) > 1:  # one may be of a newer torch
        raise CheckpointError(
            f'cannot be resumed: the config has the optimiser {type(optim_wrapper.optimizer).__name__}, the checkpoint '
            f'another, without {", ".join(missing)}; start anew from its weights with load_from'
        )
    differing = _differing_options(own, saved, options) + _differing_schedules(
        [scheduler.state_dict() for scheduler in schedulers], checkpoint.get('param_schedulers') or []
    )
    if differing:
        _step_to(checkpoint['meta']['iter'], schedulers)
        checkpoint['param_schedulers'] = [scheduler.state_dict() for scheduler in schedulers]
    for mine, theirs in zip(own, saved):
        taken = options if differing else [key for key in options if key in _TECHNICAL]
        initial = [key for key in mine if key.startswith('initial_')] if differing else []
        theirs.update({key: mine[key] for key in (*taken, *initial) if key in mine})
    if not differing:
        return ''
    return (
        f'resumed at iteration {checkpoint["meta"]["iter"]} with settings of the config that differ from the '
        f"checkpoint's: {', '.join(differing)}; the config is followed, the learning rate goes on at {own[0]['lr']:.4g}"
    )


def _saved_groups(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups in the state of an OptimWrapper, as its ``param_groups`` lists them."""
    base = state.get('base_param_settings')
    return [*state['param_groups'], *([] if base is None else [base])]


def _differing_options(
    own: Sequence[Mapping[str, Any]], saved: Sequence[Mapping[str, Any]], options: Sequence[str]
) -> list[str]:
    """What the groups say of each option, at the start of a training, where it differs: once each."""
    said: dict[str, str] = {}
    for mine, theirs in zip(own, saved):
        for key in (key for key in options if key in mine and key in theirs and key not in _TECHNICAL):
            new, old = mine.get(f'initial_{key}', mine[key]), theirs.get(f'initial_{key}', theirs[key])
            if _plain(new) != _plain(old):
                said.setdefault(key, f'{key} {_plain(new)} (was {_plain(old)})')
    return list(said.values())


def _differing_schedules(own: Sequence[Mapping[str, Any]], saved: Sequence[Mapping[str, Any]]) -> list[str]:
    if len(own) != len(saved):
        return [f'{len(own)} param_scheduler (was {len(saved)})']
    said = []
    for i, (mine, theirs) in enumerate(zip(own, saved)):
        where = f'param_scheduler[{i}]' if len(own) > 1 else 'param_scheduler'
        new, old = _settings(mine), _settings(theirs)
        if new.keys() != old.keys():
            said.append(f'{where} of another type')
        elif keys := [key for key in new if _plain(new[key]) != _plain(old[key])]:
            named = [f'{key} {_plain(new[key])} (was {_plain(old[key])})' for key in keys if key[0] != '_']
            said += [f'{where}.{what}' for what in named if not what.startswith('base_values')]  # said as lr
            if not named:
                said.append(f'{where} of another shape')
    return said


def _settings(state: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if key not in _MOVING}


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else value


def _step_to(iteration: int, schedulers: Sequence[Any]) -> None:
    """Steps schedulers as often as a training up to an iteration does."""
    if any('Plateau' in base.__name__ for scheduler in schedulers for base in type(scheduler).__mro__):
        raise OptionError(
            'cannot be resumed with another schedule or optimiser: ReduceOnPlateau goes by scores, and nothing tells '
            'where it would stand; resume with the settings of the checkpoint, or start anew with load_from'
        )
    by_iteration = [scheduler for scheduler in schedulers if not scheduler.by_epoch]
    with warnings.catch_warnings():  # that no optimiser step comes between two steps of a scheduler
        warnings.simplefilter('ignore')
        for _ in range(iteration):
            for scheduler in by_iteration:
                scheduler.step()


def _batch_size(runner: Runner) -> int:
    return (runner.train_dataloader.batch_size or 1) * get_world_size()


def _end(iteration: int, length: int) -> str:
    if iteration > length:
        raise OptionError(
            f'the checkpoint stands at iteration {iteration}, but the training ends at {length} '
            '(train_cfg.max_iters): raise it, or resume from an earlier checkpoint'
        )
    return (
        '' if iteration < length else f'the checkpoint stands at the end, iteration {length}: nothing is left to train'
    )


def _seed(saved: int | None, given: int | None) -> str:
    if saved is None or given is None or saved == given:
        return ''
    return (
        f'the seed is that of the checkpoint, {saved}, and not {given} of the config (randomness.seed), so that the '
        'order of the samples goes on; to change it, start anew'
    )


def _batch(saved: int | None, given: int) -> str:
    if saved is None or saved == given:
        return ''
    return (
        f'a step has {given} samples over all processes, in the checkpoint it had {saved}: iterations are counted on, '
        'but the samples do not go on where they stood, some come once more or are left out of their pass'
    )
