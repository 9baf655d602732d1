"""Reads a sample once, by the steps with which a training reads it, and keeps a small record of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..datasets.checks import CheckImage, check_ids, check_size, ignored_by
from ..datasets.files import (
    check_depth,
    check_label_file,
    check_one_picture,
    check_whole,
    exif_orientation,
    fault_of_data,
)
from ..datasets.load_image import LoadImage
from ..datasets.presence import loading_step
from ..datasets.steps import loads_labels, steps_of
from ..datasets.transforms import LoadSegments
from ..datasets.truth import count_values
from ..errors import DataError
from ..federated import FEDERATED
from ..label_space import LabelSpace
from ..segments import BACKGROUND, ignore_index_of
from .findings import Fault
from .leaks import look_of
from .objects import flaws_of_objects, flaws_of_segments
from .records import Pixels, Sample, Truth
from .values import faults_of_values


def read_sample(dataset: Any, place: int, spaces: Sequence[LabelSpace]) -> tuple[Sample, Pixels]:
    """Reads one sample. Whatever is wrong with its files becomes a fault of the record.

    Args:
        dataset: A built dataset, below wrappers.
        place: Of the sample in it.
        spaces: Its label spaces.
    """
    faults: list[Fault] = []
    info = dataset.get_data_info(place)
    file = str(info.get('img_path', ''))
    image, orientation = _read_image(image_step(dataset), dict(info), faults)
    truths: list[Truth | None] = []
    maps: list[np.ndarray | None] = []
    parts = info.get('truths', [info])
    step = loading_step(dataset)
    for space, part in zip(spaces, parts, strict=True):
        own = {**info, **part, 'spaces': (space,), 'seg_fields': []}
        own.pop('truths', None)
        labels = None if step is None else _read_labels(step, own, space, image, dataset, faults)
        maps.append(labels)
        truths.append(None if labels is None else _counted(labels, own, space.num_classes))
    sample = Sample(
        image=file,
        labels=tuple(str(part['seg_map_path']) for part in parts if part.get('seg_map_path')),
        size=None if image is None else (image.shape[0], image.shape[1]),
        truths=tuple(truths),
        faults=tuple(dict.fromkeys(faults)),
        orientation=orientation,
        look=None if image is None else look_of(image),
    )
    return sample, Pixels(image, tuple(maps))


def image_step(dataset: Any) -> Any:
    """The step of a dataset's pipeline that loads images; None where none is known to."""
    steps = steps_of(dataset.pipeline.transforms)
    return next((s for s in steps if type(s).__name__.startswith('Load') and not loads_labels(type(s))), None)


def _read_image(step: Any, info: dict[str, Any], faults: list[Fault]) -> tuple[np.ndarray | None, int]:
    """The image [H, W, C], and the EXIF orientation by which it was turned."""
    path = info.get('img_path')
    if step is None or not path:
        return None, 1
    if not _passes('cut-off', lambda: check_whole(path), path, faults):
        return None, 1
    declares = isinstance(step, LoadImage)
    refused = 'image-format' if declares else 'image'
    image: np.ndarray | None = _loaded('image', refused, step.transform, info, 'img', path, faults)
    if image is None:
        return None, 1
    if declares:
        pixels, nodata = step.read(path)
        faults += faults_of_values(pixels, nodata, step.format, path)
        _passes('pictures', lambda: check_one_picture(path), path, faults)
        return image, exif_orientation(path)
    check = CheckImage(getattr(step, 'color_type', 'color'), getattr(step, 'imdecode_backend', 'cv2'))
    _passes('pictures', lambda: check_one_picture(path), path, faults)
    if not check.keeps_depth or image.dtype == np.uint8:
        _passes('image-depth', lambda: check_depth(path), path, faults)
    return image, exif_orientation(path) if check.turns else 1


def _read_labels(
    step: Any, info: dict[str, Any], space: LabelSpace, image: np.ndarray | None, dataset: Any, faults: list[Fault]
) -> np.ndarray | None:
    """The classes of the pixels [H, W] in one label space; also of a map with ids outside of it, or of another size."""
    path = info.get('seg_map_path')
    pixels = path is not None and 'segments' not in info  # of ids, not of segments
    named = 'label_values' in info  # by a table, which refuses what it lacks
    if (
        path is not None
        and pixels
        and not named
        and not _passes('label-file', lambda: check_label_file(path), path, faults)
    ):
        return None
    before = len(faults)
    code = 'labels' if pixels else 'segments'
    refused = 'ids' if named else code
    labels = _loaded(code, refused, step.transform, dict(info), 'gt_seg_map', path, faults)
    if labels is None and pixels and isinstance(step, LoadSegments):
        found, faults[before:] = faults[before:], []
        labels = _loaded(code, refused, step._load_seg_map, dict(info), 'gt_seg_map', path, faults)
        known = _check_map(labels, info, space, image, dataset, faults)
        if labels is not None and len(faults) == before:  # the labels are right, their segments are not
            faults += [fault._replace(code='segments') for fault in found]
        return known
    checked = _check_map(labels, info, space, image, dataset, faults)
    if checked is not None and 'objects' in info:
        faults += flaws_of_objects(info['objects'], info['size'], space)
    if 'segments' in info:
        faults += flaws_of_segments(info['segments'], space)
    return checked


def _check_map(
    labels: np.ndarray | None,
    info: Mapping[str, Any],
    space: LabelSpace,
    image: np.ndarray | None,
    dataset: Any,
    faults: list[Fault],
) -> np.ndarray | None:
    """Checks a label map against its image and its space; None where it is no map of ids."""
    if labels is None:
        return None
    size = labels.shape[:2] if image is None else image.shape[:2]
    if labels.ndim < 2 and labels.size == np.prod(size):  # mmseg squeezes away a side of one pixel
        labels = labels.reshape(size)
    file = info.get('seg_map_path')
    if not _passes('size' if labels.ndim == 2 else 'label-colours', lambda: check_size(labels, size), file, faults):
        return labels if labels.ndim == 2 else None
    void = ignore_index_of(space.num_classes)
    own, reduced = ignored_by(dataset), bool(info.get('reduce_zero_label'))
    ignore_index = void if own is None else own
    _passes('ids', lambda: check_ids(labels, space.num_classes, ignore_index, reduced), file, faults)
    return labels if ignore_index == void else np.where(labels == ignore_index, void, labels).astype(labels.dtype)


def _counted(labels: np.ndarray, info: Mapping[str, Any], num_classes: int) -> Truth:
    pixels = {int(label): int(count) for label, count in zip(*count_values(labels))}
    listed = info.get('objects', info.get('segments'))
    crowds = [one.crowd for one in info['objects']] if 'objects' in info else [s[2] for s in info.get('segments', ())]
    return Truth(
        pixels={label: count for label, count in pixels.items() if 0 <= label < num_classes},
        ignored=pixels.get(ignore_index_of(num_classes), 0),
        objects=None if listed is None else len(listed),
        crowds=sum(crowds),
        background='objects' in info and info['rest'] == BACKGROUND,
        searched=info[FEDERATED]['labels'] if FEDERATED in info else None,
    )


def _loaded(
    code: str,
    refused: str,
    load: Callable[[dict[str, Any]], Any],
    info: dict[str, Any],
    key: str,
    path: str | None,
    faults: list[Fault],
) -> Any:
    """What a step loads; any error is a fault of the files here, for the steps may be of anybody.

    A fault has the code ``refused`` where a file can be read, but not as what it should be; else ``code``.
    """
    try:
        loaded = load(info)
        return (info if loaded is None else loaded)[key]
    except Exception as error:
        code = 'missing-file' if isinstance(error, FileNotFoundError) else code
        code = refused if isinstance(error, DataError) else code
        message = fault_of_data(error, [path]) or f'{type(error).__name__}: {error}'
        faults.append(Fault(code, message.removeprefix(f'{path}: '), path))
        return None


def _passes(code: str, check: Callable[[], None], path: str | None, faults: list[Fault]) -> bool:
    try:
        check()
    except Exception as error:  # a check decodes what it checks
        message = str(error) if isinstance(error, DataError) else fault_of_data(error, [path])
        faults.append(Fault(code, message or f'{type(error).__name__}: {error}', path))
        return False
    return True
