"""What a config says of its datasets: wrappers, parts, names and label spaces, without reading data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..errors import LabelSpaceError, OptionError, did_you_mean
from ..label_space import LabelSpace
from ..names import default_space_name


def innermost(dataset: Any) -> Any:
    """The dataset config below wrappers such as RepeatDataset, where the pipeline stands; of a ConcatDataset, whose
    parts have one label space, the first."""
    return all_innermost(dataset)[0]


def all_innermost(dataset: Any) -> list[Any]:
    """The dataset configs below wrappers, those of a ConcatDataset one by one."""
    if 'dataset' in dataset:
        return all_innermost(dataset['dataset'])
    if kind_of(dataset) == 'ConcatDataset' and dataset.get('datasets'):
        return [one for part in dataset['datasets'] for one in all_innermost(part)]
    return [dataset]


def parts_of(dataset: Any) -> dict[str, Any]:
    """The datasets of a loader by the names that :class:`MultiDataset` gives them; of any other dataset, itself."""
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    parts = [dataset] if kind_of(dataset) == 'ConcatDataset' else list(dataset.get('datasets') or [dataset])
    names = dataset.get('names') or ['+'.join(space_names(part)) for part in parts]
    return dict(zip(names, parts))


def chosen_parts(cfg: Config, split: str, names: Sequence[str]) -> dict[str, Any]:
    """Some datasets of a split (``train``, ``val`` or ``test``) by name, in the asked order."""
    parts = parts_of(cfg[f'{split}_dataloader'].dataset)
    for name in names:
        if name not in parts:
            raise OptionError(
                f'{cfg.filename}: has no dataset {name!r}, only {", ".join(parts)}.{did_you_mean(name, parts)}'
            )
    return {name: parts[name] for name in names}


def space_names(dataset: Any) -> tuple[str, ...]:
    """The names of the label spaces of a dataset config: several of a ``MultiSpaceFolderDataset``, else one.

    They are told without reading data; for a folder whose ``classes.json`` cannot be read, the folder's name stands.
    """
    dataset = innermost(dataset)
    if kind_of(dataset) == 'MultiSpaceFolderDataset':
        return tuple(space_name_of({'type': 'FolderDataset', **folder}) for folder in dataset['folders'])
    return (space_name_of(dataset),)


def space_name_of(dataset: Mapping[str, Any]) -> str:
    metainfo = dataset.get('metainfo') or {}
    if 'label_space' in metainfo:
        return str(metainfo['label_space'])
    kind = kind_of(dataset)
    if kind != 'FolderDataset' or 'data_root' not in dataset:
        return default_space_name(kind)
    return listed_name(Path(dataset['data_root']).expanduser())


def listed_name(spec: Any) -> str:
    """The name of what a config lists as a label space; also of a folder that is not here."""
    try:
        return LabelSpace.from_config(spec).name
    except LabelSpaceError:
        own = spec if isinstance(spec, Mapping) else dict(path=spec)
        if 'path' not in own:
            raise
        path = Path(own['path'])
        return str(own.get('name', path.parent.name if path.suffix == '.json' else path.name))


def kind_of(dataset: Mapping[str, Any]) -> str:
    kind = dataset.get('type', '')
    return (kind if isinstance(kind, str) else str(kind.__name__)).rsplit('.', 1)[-1]
