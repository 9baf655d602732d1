"""A file of which classes the images of each dataset hold, which is refused once the data are others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError, read_json
from ..segments import IGNORE_INDEX
from .presence import Counted, Presence, innermost_sample, labels_described, loading_step


def write_presence(dataset: Counted, file: str | Path) -> None:
    """Writes down what was counted, for ``class_presence`` of :class:`mmlmseg.MultiDataset`."""
    content = {
        name: dict(classes=presence.classes, samples=_fingerprint(dataset, which), images=presence.images)
        for which, (name, presence) in enumerate(zip(dataset.names, dataset.presence, strict=True))
    }
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(json.dumps(content), encoding='utf-8')


def read_presence(dataset: Counted, file: str | Path) -> list[Presence]:
    """Reads what :func:`write_presence` wrote.

    Raises:
        DataError: Where it was not counted on these datasets: other classes, other samples, labels read another way.
    """
    content = read_json(file, DataError, 'write it with tools/analysis/class_frequencies.py CONFIG --out FILE')
    again = 'count again: tools/analysis/class_frequencies.py CONFIG --out FILE'
    if not isinstance(content, Mapping):
        raise DataError(f'{file}: is no table of datasets; {again}')
    found = []
    for which, (name, size) in enumerate(zip(dataset.names, dataset.sizes, strict=True)):
        if name not in content:
            raise DataError(f'{file}: knows nothing of dataset {name!r}, only of {", ".join(content)}; {again}')
        own, classes = content[name], dataset.spaces[which][0].classes
        if not isinstance(own, Mapping) or not {'classes', 'samples', 'images'} <= own.keys():
            raise DataError(f'{file}: dataset {name!r} lacks classes, samples or images; {again}')
        if own['classes'] != list(classes):
            raise DataError(f'{file}: was counted on other classes of dataset {name!r} than it has now; {again}')
        if not isinstance(own['images'], list) or len(own['images']) != size:
            raise DataError(f'{file}: was not counted on the {size} images of dataset {name!r}; {again}')
        if own['samples'] != _fingerprint(dataset, which):
            raise DataError(
                f'{file}: was counted on other samples of dataset {name!r}, or before they were changed or their ids '
                f'read another way (reduce_zero_label, ignore); {again}'
            )
        found.append(Presence(classes, _read_images(own['images'], len(classes), f'{file}: dataset {name!r}')))
    return found


def _read_images(images: Sequence[Any], num_classes: int, where: str) -> tuple[tuple[int, ...], ...]:
    for place, labels in enumerate(images):
        if not isinstance(labels, list) or not all(type(one) is int and 0 <= one < num_classes for one in labels):
            raise DataError(f'{where}: image {place} holds {labels!r}; it must be a list of labels below {num_classes}')
    return tuple(map(tuple, images))


def _fingerprint(dataset: Counted, which: int) -> str:
    """A hash of a dataset's files in their order, by name and size, not by folder, and of how their ids are read.

    Of an annotation file it is what the images hold, which costs nothing to count.
    """
    digest = hashlib.sha256()
    for place in range(dataset.sizes[which]):
        own, inner = innermost_sample(dataset.datasets[which], place)
        info = own.get_data_info(inner)
        said: list[Any] = [Path(info['img_path']).name, labels_described(info)]
        if said[-1] is None:
            files = [Path(info[key]) for key in ('seg_map_path', 'panoptic_path') if info.get(key)]
            said += [(file.name, file.stat().st_size if file.is_file() else None) for file in files]
            said += [type(loading_step(own)).__name__, getattr(own, 'ignore_index', IGNORE_INDEX)]
            said += [bool(info.get('reduce_zero_label')), sorted((info.get('label_map') or {}).items())]
            if values := info.get('label_values'):
                said += [values.values.tolist(), values.labels.tolist()]
        digest.update(repr(said).encode())
    return digest.hexdigest()
