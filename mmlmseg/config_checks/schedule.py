"""Length, learning rate and schedule of a training: numbers that can be, and go together."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.dataset import InfiniteSampler
from mmengine.runner import EpochBasedTrainLoop

from ..arguments import find_type
from ..datasets.samplers import DatasetSampler
from ..errors import OptionError
from ..registry import DATA_SAMPLERS, LOOPS
from .types import schedulers


def check_schedule(cfg: Config) -> None:
    """Refuses lengths, rates and schedules that cannot be, and epochs without an end."""
    loop: Mapping[str, Any] = cfg.get('train_cfg') or {}
    for key in ('max_iters', 'max_epochs', 'val_interval'):
        if key in loop and (not isinstance(loop[key], int) or loop[key] < 1):
            raise OptionError(f'train_cfg.{key} = {loop[key]!r}: give an integer of at least 1')
    by_epoch = _by_epoch(loop)
    sampler = (cfg.get('train_dataloader') or {}).get('sampler')
    if by_epoch and isinstance(sampler, Mapping) and _is_endless(sampler):
        raise OptionError(
            f'train_cfg counts epochs, but {sampler["type"]} is endless, and so were the first epoch: write '
            "train_cfg=dict(_delete_=True, type='mmlmseg.ResumableTrainLoop', max_iters=..., val_interval=...)"
        )
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer')
    for key in ('lr', 'weight_decay'):
        value = optimizer.get(key) if isinstance(optimizer, Mapping) else None
        if value is not None and (not isinstance(value, (int, float)) or not 0 <= value < math.inf):
            raise OptionError(f'optim_wrapper.optimizer.{key} = {value!r}: give a number that is not negative')
    for one in schedulers(cfg):
        _check_scheduler(one, None if by_epoch else loop.get('max_iters'))


def _check_scheduler(one: Mapping[str, Any], length: int | None) -> None:
    where = f'param_scheduler ({one.get("type")})'
    begin, end, by_epoch = one.get('begin', 0), one.get('end'), one.get('by_epoch', True)
    if end is not None and end <= begin:
        raise OptionError(f'{where} begins at {begin} and ends at {end}: end must be larger')
    if length is None or one.get('convert_to_iter_based'):
        return
    if by_epoch and 'Plateau' not in str(one.get('type')):  # which is stepped by validations
        raise OptionError(
            f"{where} counts epochs, mmengine's default, but the training iterations, so it would never change the "
            'learning rate: add by_epoch=False'
        )
    if begin >= length:
        raise OptionError(f'{where} begins at iteration {begin}, but the training ends at {length}')


def schedule_cautions(cfg: Config) -> list[str]:
    """Names schedules that end before or after the training, and validations that never come on the way."""
    length = (cfg.get('train_cfg') or {}).get('max_iters')
    own = [one for one in schedulers(cfg) if not one.get('by_epoch', True)]
    if not length:
        return []
    said = []
    end = max((one.get('end', length) for one in own), default=length)
    if end != length:
        what = 'stays where it is from there on' if end < length else 'does not come to its end'
        said.append(
            f'param_scheduler ends at iteration {end}, the training at {length}: the learning rate {what}; where that '
            'is not meant, set both alike, or use --iterations of tools/train.py, which scales the schedule'
        )
    if late := [step for one in own for step in one.get('milestones', ()) if step >= length]:
        said.append(f'param_scheduler has milestones at {late}, but the training ends at iteration {length}')
    interval, first = cfg.train_cfg.get('val_interval', 1000), cfg.train_cfg.get('val_begin', 1)
    if cfg.get('val_dataloader') and first > length:
        said.append(f'train_cfg.val_begin is {first}: this training of {length} never validates')
    elif cfg.get('val_dataloader') and interval > length:
        said.append(f'train_cfg.val_interval is {interval}: this training of {length} validates once, at its end')
    return said


def _by_epoch(loop: Mapping[str, Any]) -> bool:
    if 'type' not in loop:
        return bool(loop.get('by_epoch', False))
    kind = find_type(loop, LOOPS, 'train_cfg')
    return inspect.isclass(kind) and issubclass(kind, EpochBasedTrainLoop)


def _is_endless(sampler: Mapping[str, Any]) -> bool:
    kind = find_type(sampler, DATA_SAMPLERS, 'train_dataloader.sampler')
    return inspect.isclass(kind) and issubclass(kind, (DatasetSampler, InfiniteSampler))
