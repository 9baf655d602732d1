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


def space_name(dataset: Mapping[str, Any]) -> str:
    """The label space of a dataset, after which MultiDataset calls a dataset without a name.

    Args:
        dataset: Its config, without wrappers.

    Returns:
        The name; of a folder whose ``classes.json`` cannot be read, that of the folder.
    """
    metainfo = dataset.get('metainfo') or {}
    if 'label_space' in metainfo:
        return str(metainfo['label_space'])
    kind = dataset['type']
    kind = kind if isinstance(kind, str) else kind.__name__
    if kind.rsplit('.', 1)[-1] != 'FolderDataset' or 'data_root' not in dataset:
        return default_space_name(kind)
    try:
        return LabelSpace.from_json(dataset['data_root']).name
    except LabelSpaceError:
        return Path(dataset['data_root']).name
