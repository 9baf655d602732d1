"""The data of a run: some of the datasets of a config, and parts of their training images."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ...config import evaluate_only, innermost, parts_of, space_names
from ...errors import DataError
from ...registry import DATASETS

HOLDOUT = 5  # tuning is scored on the last of so many parts of the training images

Indices = int | list[int]
"""As mmengine's datasets take them: places in the list; or so many from its start, or, negative, from its end."""


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
    train.datasets, train.names = list(kept.values()), list(kept)
    evaluate_only(cfg, 'val', held)


def mixed_datasets(cfg: Config, names: Sequence[str]) -> tuple[str, ...]:
    """Those of some datasets to evaluate that ask a model for several label spaces at once.

    Args:
        cfg: With :class:`MultiDataset` in its loaders.
        names: What it does not have is none of them.
    """
    parts = parts_of(cfg.val_dataloader.dataset)
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
