"""Changes of a config before anything is built: its length, and the datasets that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from ..errors import OptionError
from .parts import chosen_parts, innermost, listed_name, parts_of, space_names
from .spaces import leave_spaces, training_spaces

_COUNTS_ITERATIONS = ('begin', 'end', 'T_max', 'milestones')


def set_length(cfg: Config, iterations: int, readings: int | None = None) -> None:
    """Shortens or lengthens a training; its schedule keeps its shape.

    Args:
        cfg: Changed in place.
        iterations: The new length.
        readings: Evaluations along it, evenly spaced; by default as often as the config says, at the end at least.
    """
    before = cfg.train_cfg.get('max_iters')
    if before is None or iterations < 1:
        raise OptionError(
            f'{iterations} iterations: a training has at least one, and its config counts iterations '
            '(train_cfg.max_iters), not epochs'
        )

    def share(count: Any) -> Any:
        return [*map(share, count)] if isinstance(count, Sequence) else round(count * iterations / before)

    schedulers = cfg.get('param_scheduler') or []
    for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
        scheduler.update({key: share(scheduler[key]) for key in _COUNTS_ITERATIONS if key in scheduler})
        for key, least in ('end', scheduler.get('begin', 0) + 1), ('T_max', 1):
            if key in scheduler:  # a warm-up of a long training takes one step of a short one, not none
                scheduler[key] = max(scheduler[key], least)
    interval = (
        min(cfg.train_cfg.get('val_interval', iterations), iterations) if readings is None else iterations // readings
    )
    cfg.train_cfg.max_iters, cfg.train_cfg.val_interval = iterations, interval
    if hook := _checkpoint_hook(cfg):
        hook.interval = min(hook.get('interval', interval), interval)


def restrict(
    cfg: Config, trained: Sequence[str], scored: Sequence[str] | None = None, unseen: Sequence[str] = ()
) -> None:
    """Leaves some datasets of a config, and what it says of these and of their label spaces.

    Args:
        cfg: With :class:`MultiDataset` in its loaders; changed in place.
        trained: Names of the datasets to train on.
        scored: Names of the datasets to evaluate, by default all, as far as all their label spaces are among those
            trained on.
        unseen: Names of those that are evaluated although nothing is trained in their label spaces, which become label
            spaces of the model, behind the others.
    """
    loader, head = cfg.train_dataloader, cfg.model.decode_head
    before, parts = parts_of(loader.dataset), chosen_parts(cfg, 'train', trained)
    spaces = {name for part in parts.values() for name in space_names(part)}
    _set_parts(loader.dataset, parts)
    ratio = (loader.get('sampler') or {}).get('ratio', '')
    if not isinstance(ratio, str):
        weights = dict(ratio) if isinstance(ratio, Mapping) else dict(zip(before, ratio))
        loader.sampler.ratio = {name: weights[name] for name in parts if name in weights}
    repeat = (loader.get('sampler') or {}).get('repeat')
    if isinstance(repeat, Mapping):
        loader.sampler.repeat = {name: repeat[name] for name in parts if name in repeat}
    if scored is not None:
        chosen_parts(cfg, 'val', scored)
    for split in ('val', 'test'):
        if cfg.get(f'{split}_dataloader'):
            asked = parts_of(cfg[f'{split}_dataloader'].dataset)
            known = [name for name, part in asked.items() if name in unseen or spaces.issuperset(space_names(part))]
            kept = known if scored is None else [name for name in scored if name in known]
            evaluate_only(cfg, split, {name: asked[name] for name in kept})
    zero_shot = chosen_parts(cfg, 'val', unseen) if unseen else {}
    spaces |= {name for part in zero_shot.values() for name in space_names(part)}
    if zero_shot and 'label_spaces' not in head:
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmseg')):
            listed = [training_spaces(dict(datasets=[part])) for part in (*parts.values(), *zero_shot.values())]
        by_name = {space.name: space for own in listed for space in own}
        head.label_spaces = [space.to_dict() for space in by_name.values()]
    if 'label_spaces' in head:
        own = {listed_name(spec): spec for spec in head.label_spaces}
        if missing := spaces - own.keys():
            raise OptionError(
                f'{cfg.filename}: its model has no label space {", ".join(sorted(missing))}: {", ".join(own)}'
            )
        head.label_spaces = [spec for name, spec in own.items() if name in spaces]
    leave_spaces(cfg.model, spaces)


def evaluate_only(cfg: Config, split: str, parts: Mapping[str, Any]) -> None:
    """Leaves some datasets of a split (``val`` or ``test``), given by name; ``cfg`` is changed in place.

    With them stay the metrics that they have of their own, and the best checkpoint if it goes by one of them.
    """
    _set_parts(cfg[f'{split}_dataloader'].dataset, parts)
    evaluator = cfg[f'{split}_evaluator']
    special = (evaluator.get('per_dataset') or {}) if isinstance(evaluator, Mapping) else {}
    for name in special.keys() - parts.keys():
        del special[name]
    hook = _checkpoint_hook(cfg)
    best = str(hook.get('save_best'))
    if split == 'val' and '/' in best and best.split('/')[0] not in ('mean', *parts):
        hook.save_best = None
        print(f'no best checkpoint is kept: {best} (default_hooks.checkpoint.save_best) is not evaluated any more')


def _set_parts(dataset: Any, parts: Mapping[str, Any]) -> None:
    joined = innermost(dataset)
    if 'datasets' not in joined:
        raise OptionError(f'{joined.type}: is one dataset; some can be chosen only of those of mmlmseg.MultiDataset')
    joined.datasets, joined.names = list(parts.values()), list(parts)


def _checkpoint_hook(cfg: Config) -> Any:
    return cfg.get('default_hooks', {}).get('checkpoint') or {}
