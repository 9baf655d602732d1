"""The data of a run: some of the datasets of a config, and parts of their training images."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..dataset_configs import innermost, space_name, space_names
from ..errors import DataError, OptionError, did_you_mean
from ..label_space import LabelSpace
from ..registry import DATASETS

HOLDOUT = 5  # tuning is scored on the last of so many parts of the training images

Indices = int | list[int]
"""As mmengine's datasets take them: places in the list; or so many from its start, or, negative, from its end."""


def restrict(cfg: Config, trained: Sequence[str], scored: Sequence[str]) -> None:
    """Leaves some datasets of a config and their label spaces.

    Args:
        cfg: With :class:`MultiDataset` in its loaders; changed in place.
        trained: Names of the datasets to train on.
        scored: Names of the datasets to evaluate, as far as all their label spaces are among those trained on.

    Raises:
        OptionError: Where the config has no dataset of a name, or its model not the label space of one.
    """
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    parts = _parts(train, trained, cfg.filename)
    spaces = {name for part in parts.values() for name in space_names(innermost(part))}
    _set_parts(train, parts)
    asked = _parts(val, scored, cfg.filename)
    _evaluate(cfg, {name: part for name, part in asked.items() if spaces.issuperset(space_names(innermost(part)))})
    own = {LabelSpace.from_config(spec).name: spec for spec in cfg.model.decode_head.label_spaces}
    if missing := spaces - own.keys():
        raise OptionError(
            f'{cfg.filename}: its model has no label space {", ".join(sorted(missing))}: {", ".join(own)}'
        )
    cfg.model.decode_head.label_spaces = [spec for name, spec in own.items() if name in spaces]
    thresholds = cfg.model.get('test_cfg', {}).get('panoptic', {}).get('per_space', {})
    for name in thresholds.keys() - spaces:
        del thresholds[name]


def hold_out(cfg: Config) -> None:
    """Takes the last part of each training list from the training, and scores on it in place of the validation data.

    Args:
        cfg: Of :func:`restrict`; changed in place.

    Raises:
        DataError: Where a list is too short.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    pipelines = {name: innermost(part).pipeline for name, part in zip(val.names, val.datasets)}
    kept, held = {}, {}
    for name, part in zip(train.names, train.datasets):
        first, last = _cut(innermost(part), name)
        kept[name] = copy.deepcopy(part)
        innermost(kept[name]).indices = first
        if name in pipelines:
            held[name] = {**innermost(part), 'indices': last, 'pipeline': pipelines[name]}
    _set_parts(train, kept)
    _evaluate(cfg, held)


def mixed_datasets(cfg: Config, names: Sequence[str]) -> tuple[str, ...]:
    """Those of some datasets to evaluate that ask a model for several label spaces at once.

    Args:
        cfg: With :class:`MultiDataset` in its loaders.
        names: What it does not have is none of them.
    """
    parts = _by_name(cfg.val_dataloader.dataset)
    return tuple(name for name in names if name in parts and len(space_names(innermost(parts[name]))) > 1)


def _cut(dataset: Mapping[str, Any], name: str) -> tuple[Indices, Indices]:
    """The images to train on and those to hold out."""
    # Serialising is for workers, and makes Python look for garbage in all that is loaded.
    size = len(DATASETS.build({**dataset, 'pipeline': [], 'indices': None, 'serialize_data': False}))
    taken = dataset.get('indices')
    if isinstance(taken, int):
        taken = range(size)[:taken] if taken >= 0 else range(size)[taken:]
    number = size if taken is None else len(taken)
    out = number // HOLDOUT
    if not out:
        raise DataError(f'dataset {name!r}: {number} training images are too few to hold out one of {HOLDOUT}')
    # A number where it will do: mmengine writes the config down again and again.
    return (size - out, -out) if taken is None else (list(taken[:-out]), list(taken[-out:]))


def _parts(dataset: Any, wanted: Sequence[str], file: str) -> dict[str, Any]:
    """Some datasets of the config of a MultiDataset, by name."""
    parts = _by_name(dataset)
    for name in wanted:
        if name not in parts:
            raise OptionError(f'{file}: has no dataset {name!r}, only {", ".join(parts)}.{did_you_mean(name, parts)}')
    return {name: parts[name] for name in wanted}


def _by_name(dataset: Any) -> dict[str, Any]:
    parts = dataset.get('datasets', [])
    return dict(zip(dataset.get('names') or [space_name(innermost(part)) for part in parts], parts))


def _evaluate(cfg: Config, parts: Mapping[str, Any]) -> None:
    """Leaves some datasets to evaluate, and their own metrics."""
    _set_parts(cfg.val_dataloader.dataset, parts)
    special = cfg.val_evaluator.get('per_dataset') or {}
    for name in special.keys() - parts.keys():
        del special[name]


def _set_parts(dataset: Any, parts: Mapping[str, Any]) -> None:
    dataset.datasets, dataset.names = list(parts.values()), list(parts)
