"""Config files: reading them, and what can be said of a config, or changed about it, before anything is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from .checkpoint import label_spaces_of, read_checkpoint
from .errors import LabelSpaceError, OptionError, did_you_mean
from .label_space import LabelSpace, LabelSpaces
from .names import default_space_name

_COUNTS_ITERATIONS = ('begin', 'end', 'T_max', 'milestones')


def read_config(path: str | Path) -> Config:
    """Reads a config file.

    Args:
        path: The file.

    Raises:
        OptionError: Where there is none; configs of a like name beside it are named.
    """
    path = Path(path)
    if not path.is_file():
        near = did_you_mean(path.name, [other.name for other in path.parent.glob('*.py')])
        raise OptionError(f'{path}: no such config file.{near}')
    return Config.fromfile(str(path))


def innermost(dataset: Any) -> Any:
    """The dataset config below wrappers such as RepeatDataset, where the pipeline stands."""
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset


def parts_of(dataset: Any) -> dict[str, Any]:
    """The datasets of a loader by the names that :class:`MultiDataset` gives them; of any other dataset, itself."""
    joined = innermost(dataset)
    parts = list(joined.get('datasets') or [joined])
    return dict(zip(joined.get('names') or ['+'.join(space_names(innermost(part))) for part in parts], parts))


def space_names(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """The label spaces of a dataset, as far as they can be told without its files.

    Args:
        dataset: Its config, without wrappers.

    Returns:
        The names, several of a ``MultiSpaceFolderDataset``; of a folder whose ``classes.json`` cannot be read, that of
        the folder.
    """
    if _kind(dataset) == 'MixedFolderDataset':
        return tuple(_space_name({'type': 'FolderDataset', **folder}) for folder in dataset['folders'])
    return (_space_name(dataset),)


def set_length(cfg: Config, iterations: int, readings: int | None = None) -> None:
    """Shortens or lengthens a training; its schedule keeps its shape.

    Args:
        cfg: Changed in place.
        iterations: The new length.
        readings: Evaluations along it, evenly spaced; by default as often as the config says, at the end at least.

    Raises:
        OptionError: Where the config does not count iterations, or the number is not positive.
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
    interval = min(cfg.train_cfg.val_interval, iterations) if readings is None else iterations // readings
    cfg.train_cfg.max_iters, cfg.train_cfg.val_interval = iterations, interval
    hook = cfg.default_hooks.checkpoint
    hook.interval = min(hook.interval, interval)


def restrict(cfg: Config, trained: Sequence[str], scored: Sequence[str] | None = None) -> None:
    """Leaves some datasets of a config, and their label spaces where the config lists these.

    Args:
        cfg: With :class:`MultiDataset` in its loaders; changed in place.
        trained: Names of the datasets to train on.
        scored: Names of the datasets to evaluate, by default all, as far as all their label spaces are among those
            trained on.

    Raises:
        OptionError: Where the config has no dataset of a name, or its model not the label space of one.
    """
    parts = _named(cfg.train_dataloader.dataset, trained, cfg.filename)
    spaces = {name for part in parts.values() for name in space_names(innermost(part))}
    _set_parts(cfg.train_dataloader.dataset, parts)
    wanted = _named(cfg.val_dataloader.dataset, scored, cfg.filename)
    for split in ('val', 'test'):
        if loader := cfg.get(f'{split}_dataloader'):
            asked = {name: part for name, part in parts_of(loader.dataset).items() if name in wanted}
            kept = [name for name, part in asked.items() if spaces.issuperset(space_names(innermost(part)))]
            evaluate_only(cfg, split, {name: asked[name] for name in wanted if name in kept})
    if 'label_spaces' in cfg.model.decode_head:
        own = {LabelSpace.from_config(spec).name: spec for spec in cfg.model.decode_head.label_spaces}
        if missing := spaces - own.keys():
            raise OptionError(
                f'{cfg.filename}: its model has no label space {", ".join(sorted(missing))}: {", ".join(own)}'
            )
        cfg.model.decode_head.label_spaces = [spec for name, spec in own.items() if name in spaces]
    thresholds = cfg.model.get('test_cfg', {}).get('panoptic', {}).get('per_space', {})
    for name in thresholds.keys() - spaces:
        del thresholds[name]


def evaluate_only(cfg: Config, split: str, parts: Mapping[str, Any]) -> None:
    """Leaves some datasets of a split, and their own metrics.

    Args:
        cfg: Changed in place.
        split: ``val`` or ``test``.
        parts: The datasets by name.
    """
    _set_parts(cfg[f'{split}_dataloader'].dataset, parts)
    special = cfg[f'{split}_evaluator'].get('per_dataset') or {}
    for name in special.keys() - parts.keys():
        del special[name]


def complete_label_spaces(cfg: Config, checkpoint: str | Path | None = None) -> None:
    """Writes down which label spaces a model has, where its config leaves that to its data: those of the training.

    A model that was trained knows them: where a checkpoint is given, it tells, and no dataset needs to be here. What a
    config lists explicitly stays, as long as it can be read.

    Args:
        cfg: ``model.decode_head.label_spaces`` is set; changed in place.
        checkpoint: What will be loaded into the model, to test it or to predict.

    Raises:
        CheckpointError: Where the checkpoint cannot be read, or holds no label spaces.
        DataError: Where a dataset cannot be read.
        LabelSpaceError: Where a label space cannot be read, or one name stands for different classes.
    """
    head = cfg.model.get('decode_head')
    if head is None:
        return
    if 'label_spaces' in head:
        try:
            LabelSpaces.from_config(head.label_spaces)
            return
        except LabelSpaceError:
            if checkpoint is None:
                raise
    if checkpoint is not None:
        spaces: Sequence[LabelSpace] = label_spaces_of(read_checkpoint(checkpoint)['state_dict'])
    else:
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmseg')):
            spaces = training_spaces(cfg.train_dataloader.dataset)
    head.label_spaces = [space.to_dict() for space in spaces]


def training_spaces(dataset: Any) -> tuple[LabelSpace, ...]:
    """The label spaces of the datasets of a loader, each once, in their order; no list of samples is read."""
    from .datasets import MultiDataset

    parts = [{**innermost(part), 'pipeline': []} for part in parts_of(dataset).values()]
    joined = MultiDataset(parts, [str(i) for i in range(len(parts))], lazy_init=True)
    return tuple({space.name: space for own in joined.spaces for space in own}.values())


def _named(dataset: Any, wanted: Sequence[str] | None, file: str) -> dict[str, Any]:
    """Some datasets of the config of a MultiDataset, by name; all where none is named."""
    parts = parts_of(dataset)
    for name in wanted or ():
        if name not in parts:
            raise OptionError(f'{file}: has no dataset {name!r}, only {", ".join(parts)}.{did_you_mean(name, parts)}')
    return parts if wanted is None else {name: parts[name] for name in wanted}


def _set_parts(dataset: Any, parts: Mapping[str, Any]) -> None:
    dataset.datasets, dataset.names = list(parts.values()), list(parts)


def _space_name(dataset: Mapping[str, Any]) -> str:
    metainfo = dataset.get('metainfo') or {}
    if 'label_space' in metainfo:
        return str(metainfo['label_space'])
    kind = _kind(dataset)
    if kind != 'FolderDataset' or 'data_root' not in dataset:
        return default_space_name(kind)
    try:
        return LabelSpace.from_json(dataset['data_root']).name
    except LabelSpaceError:
        return Path(dataset['data_root']).name


def _kind(dataset: Mapping[str, Any]) -> str:
    kind = dataset.get('type', '')
    return (kind if isinstance(kind, str) else str(kind.__name__)).rsplit('.', 1)[-1]
