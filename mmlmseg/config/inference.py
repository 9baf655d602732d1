"""The test pipeline of a config, for label spaces whose data may be away."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..image_format import as_declared, declaration
from ..label_space import LabelSpaces
from .parts import innermost, kind_of, listed_name, parts_of, space_names


def inference_steps(
    cfg: Mapping[str, Any], spaces: Sequence[str] = (), trained: LabelSpaces | None = None
) -> list[Any]:
    """The test pipeline of a config for some label spaces, without the data that it names.

    It is that of the test dataset with these label spaces (or else with the first one, or of its name). Where there is
    none, or none is asked for: ``test_pipeline`` of the config; else the pipeline of the first test dataset; else only
    packing. Images are loaded as the dataset of these label spaces declares it, be it one for tests or for training.

    Args:
        cfg: A whole config.
        spaces: Names of the label spaces that are asked for.
        trained: Those of the model, by which datasets are told whose folders are away.

    Raises:
        OptionError: Where it depends on a folder that is away which pipeline that is.
    """
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    parts: dict[Any, Any] = {name: innermost(part) for name, part in parts_of(loader.get('dataset') or {}).items()}
    names = {} if trained is None else _trained_names(cfg, trained)
    told = {name: [names.get(own, own) for own in space_names(part)] for name, part in parts.items()}
    by_space = {'+'.join(told[name]): part for name, part in reversed(parts.items())}  # the first one counts
    known = {**parts, **by_space}
    for asked in dict.fromkeys(['+'.join(spaces), *spaces[:1]]) if spaces else ():
        if steps := known.get(asked, {}).get('pipeline'):
            return _reading(steps, declaration(known[asked]))
    common = cfg.get('test_pipeline') or next(iter(parts.values())).get('pipeline') or [dict(type='PackSegInputs')]
    if spaces and trained is not None:
        for name, part in parts.items():
            unknown = not set(told[name]) <= set(trained.names) and _is_away(part)
            if unknown and _of_images(part.get('pipeline') or common) != _of_images(common):
                raise OptionError(
                    f'{part.get("data_root", name)}: is not here to tell whether it is the dataset of label space '
                    f'{spaces[0]!r}, whose test pipeline reads the images. Say so in the config, '
                    f'metainfo=dict(label_space={spaces[0]!r}) of that dataset, or give all datasets one pipeline'
                )
    return _reading(common, _image_of(cfg, spaces, names))


def _reading(steps: Sequence[Mapping[str, Any]], image: Mapping[str, Any] | None) -> list[Any]:
    return list(steps) if image is None else as_declared(steps, image)


def _image_of(cfg: Mapping[str, Any], spaces: Sequence[str], names: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What the first dataset of some label spaces, or of the first of them, declares of its images.

    Where none is asked for, what all declare alike.
    """
    parts = [
        innermost(part)
        for split in ('test', 'val', 'train')
        for part in parts_of((cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}).values()
    ]
    told = [[names.get(own, own) for own in space_names(part)] for part in parts if part]
    if not spaces:
        declared = [declaration(part) for part in parts if part]
        return declared[0] if declared and all(own == declared[0] for own in declared) else None
    for asked in (list(spaces), [spaces[0]]):
        for own, part in zip(told, filter(None, parts), strict=True):
            if own == asked:
                return declaration(part)
    return None


def _of_images(steps: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The steps of a pipeline from a file on, without those that load annotations; mmseg's inference writes NDArray."""
    kinds = [kind_of(step).replace('FromNDArray', 'FromFile') for step in steps]
    return [
        {**step, 'type': kind} for step, kind in zip(steps, kinds) if not re.search('Annotation|LoadSegments', kind)
    ]


def _is_away(dataset: Mapping[str, Any]) -> bool:
    """Whether a folder is not here that would tell the label spaces of a dataset config."""
    folders = [folder['data_root'] for folder in dataset.get('folders', [dataset]) if 'data_root' in folder]
    return any(not Path(folder).expanduser().is_dir() for folder in folders)


def _trained_names(config: Mapping[str, Any], trained: LabelSpaces) -> dict[str, str]:
    """The names of a model's label spaces by those that :func:`space_names` tells, which are others where data is away.

    A config lists label spaces, or the training datasets, in the order in which a checkpoint holds them.
    """
    listed = ((config.get('model') or {}).get('decode_head') or {}).get('label_spaces')
    if listed is not None:
        told = [listed_name(spec) for spec in listed]
    else:
        dataset = (config.get('train_dataloader') or {}).get('dataset')
        parts = parts_of(dataset).values() if dataset else ()
        told = list(dict.fromkeys(name for part in parts for name in space_names(part)))
    names = dict(zip(told, trained.names))
    consistent = all(told == name or told not in trained.names for told, name in names.items())
    return names if len(told) == len(trained) == len(names) and consistent else {}
