"""What the config of a dataset says of it, without building it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import LabelSpaceError
from .label_space import LabelSpace
from .names import default_space_name


def innermost(dataset: Any) -> Any:
    """The dataset config below wrappers such as RepeatDataset, where the pipeline stands."""
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset


def space_names(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """The label spaces of a dataset: several of a mixed one.

    Args:
        dataset: Its config, without wrappers.

    Returns:
        The names; of a folder whose ``classes.json`` cannot be read, that of the folder.
    """
    if _kind(dataset) == 'MixedFolderDataset':
        return tuple(_space_name({'type': 'FolderDataset', **folder}) for folder in dataset['folders'])
    return (_space_name(dataset),)


def space_name(dataset: Mapping[str, Any]) -> str:
    """What MultiDataset calls a dataset without a name: its :func:`space_names`, with plus signs between them."""
    return '+'.join(space_names(dataset))


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
    kind = dataset['type']
    return (kind if isinstance(kind, str) else str(kind.__name__)).rsplit('.', 1)[-1]
