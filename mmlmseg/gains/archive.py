"""The file of what a model found, ``.npz``: written whole, and believed only as far as it fits together."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from ..checkpoint import difference
from ..errors import DataError, LabelSpaceError, OptionError, errors_of, written
from ..label_space import LabelSpaces
from ..relations import Relations, resolve
from .counts import CountedModel, ImageCounts

FORMAT_VERSION = 1
WAY_OUT = 'count the model again with tools/analysis/transfer.py'
_AREAS = ('right', 'found', 'true')


def save_counts(path: str | Path, model: CountedModel) -> None:
    """Writes what a model found, and what it is."""
    record = dict(
        format=FORMAT_VERSION,
        name=model.name,
        label_spaces=model.spaces.to_list(),
        relations=model.relations.to_dict(),
        architecture=model.architecture,
        datasets={own.dataset: own.label_space for own in model.datasets},
    )
    arrays: dict[str, Any] = dict(model=np.array(json.dumps(record, ensure_ascii=False)))
    if model.rows is not None:
        arrays['rows'] = model.rows.numpy()
    for own in model.datasets:
        arrays[f'{own.dataset}/areas'] = own.areas.numpy()
        arrays[f'{own.dataset}/images'] = np.array(own.images)
        arrays[f'{own.dataset}/classes'] = np.array(own.classes)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def read_counts(path: str | Path) -> CountedModel:
    """Reads what :func:`save_counts` wrote.

    Raises:
        DataError: Where the file is missing, another one, damaged, of another format, or holds what cannot be.
    """
    with errors_of(path):
        arrays = _arrays(Path(path))
        record = _record(arrays)
        try:
            spaces = LabelSpaces.from_config(record['label_spaces'])
            relations = Relations.from_config(record['relations'])
            resolve(relations, tuple(spaces))  # refuses those of unknown classes
        except (LabelSpaceError, OptionError) as error:
            raise DataError(f'its record of the model cannot be read ({error}); {WAY_OUT}') from None
        datasets = tuple(_image_counts(arrays, name, space, spaces) for name, space in record['datasets'].items())
        rows = arrays.get('rows')
        if rows is not None:
            count = sum(space.num_classes for space in spaces)
            if rows.dtype != np.float32 or rows.ndim != 2 or len(rows) != count or not np.isfinite(rows).all():
                raise DataError(
                    f'its text rows are {rows.dtype} {rows.shape}; needed are finite float32 [{count}, width], a row a '
                    f'class; {WAY_OUT}'
                )
        text = None if rows is None else torch.from_numpy(rows)
        return CountedModel(record['name'], spaces, relations, record['architecture'], text, datasets)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        content = np.load(path, allow_pickle=False)
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise DataError(f'is a single array, not a .npz of counts; {WAY_OUT}')
        with content:
            return {key: content[key] for key in content.files}
    except FileNotFoundError:
        raise DataError(f'no such file; {WAY_OUT}') from None
    except DataError:
        raise
    except (OSError, ValueError, EOFError, BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        raise DataError(f'holds no counts of images, or is damaged ({error}); {WAY_OUT}') from None


def _record(arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """What the archive says of its model."""
    if 'model' not in arrays:
        raise DataError(f'holds {written(sorted(arrays))}, no record of a model: not a .npz of counts; {WAY_OUT}')
    try:
        record = json.loads(str(arrays['model']))
    except (ValueError, RecursionError) as error:
        raise DataError(f'its record of the model is no JSON ({error}); {WAY_OUT}') from None
    version = record.get('format') if isinstance(record, dict) else None
    if version != FORMAT_VERSION:
        raise DataError(f'is of format {written(version)}, this version reads {FORMAT_VERSION}; {WAY_OUT}')
    kinds = dict(name=str, label_spaces=list, relations=dict, architecture=str, datasets=dict)
    for key, kind in kinds.items():
        if not isinstance(record.get(key), kind):
            raise DataError(f'its record of the model has {key} = {written(record.get(key))}; {WAY_OUT}')
    if not record['datasets']:
        raise DataError(f'holds no dataset; {WAY_OUT}')
    return record


def _image_counts(arrays: dict[str, NDArray[Any]], name: str, label_space: Any, spaces: LabelSpaces) -> ImageCounts:
    """A dataset in the archive."""
    with errors_of(name):
        if missing := [key for key in ('areas', 'images', 'classes') if f'{name}/{key}' not in arrays]:
            raise DataError(f'its {", ".join(missing)} are missing; {WAY_OUT}')
        areas, images, classes = (arrays[f'{name}/{key}'] for key in ('areas', 'images', 'classes'))
        for key, names in (('images', images), ('classes', classes)):
            if names.ndim != 1 or names.dtype.kind != 'U':
                raise DataError(f'its {key} are {names.dtype} {names.shape}, not a list of names; {WAY_OUT}')
        if label_space not in spaces.names:
            raise DataError(f'is of label space {written(label_space)}, the model knows {", ".join(spaces.names)}')
        if what := difference(spaces.get(label_space).classes, classes.tolist()):
            raise DataError(f'its classes are not those of label space {label_space} ({what}); {WAY_OUT}')
        _check_areas(areas, images.tolist(), classes.tolist())
        own = torch.from_numpy(areas)
        return ImageCounts(name, label_space, tuple(classes.tolist()), tuple(images.tolist()), own)


def _check_areas(areas: NDArray[Any], images: list[str], classes: list[str]) -> None:
    """Whether they can be counts of pixels of so many images and classes."""
    if not images:
        raise DataError(f'holds no image; {WAY_OUT}')
    wanted = (len(images), len(classes), len(_AREAS))
    if areas.dtype != np.int64 or areas.shape != wanted:
        raise DataError(
            f'its areas are {areas.dtype} {areas.shape}; {len(images)} images of {len(classes)} classes have int64 '
            f'{wanted}; {WAY_OUT}'
        )
    right, found, true = np.moveaxis(areas, -1, 0)  # [n, K] each
    for wrong in np.argwhere((areas < 0).any(-1) | (right > found) | (right > true))[:1]:
        image, label = wrong.tolist()
        told = ', '.join(f'{n} {what}' for what, n in zip(_AREAS, areas[image, label].tolist()))
        raise DataError(
            f'{images[image]}, class {classes[label]!r}: {told} pixels; none is below 0, and no more are right than '
            f'found or true; {WAY_OUT}'
        )
    for place in np.flatnonzero(found.sum(1) != true.sum(1))[:1]:
        raise DataError(
            f'{images[place]}: {found[place].sum()} pixels are found as some class, {true[place].sum()} are of one; '
            f'both are the annotated pixels; {WAY_OUT}'
        )
