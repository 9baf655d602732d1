"""Reads a sample once, by the steps with which a training reads it, and keeps a small record of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

import cv2
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
from ..datasets.presence import loading_step
from ..datasets.steps import loads_labels, steps_of
from ..datasets.transforms import LoadSegments
from ..datasets.truth import count_values
from ..errors import DataError
from ..label_space import LabelSpace
from ..segments import BACKGROUND, ignore_index_of
from .findings import Fault
from .objects import flaws_of_objects, flaws_of_segments

THUMBNAIL = 32
"""The side of thumbnails in pixels."""


@dataclass(frozen=True)
class Look:
    """What an image is recognised by: a digest of its pixels, and a grey thumbnail, uint8 [32, 32]."""

    digest: bytes
    thumbnail: np.ndarray


@dataclass(frozen=True)
class Truth:
    """What the labels of an image hold in one label space.

    Attributes:
        pixels: How many pixels each class has, by label; classes without a pixel are left out.
        ignored: How many pixels count nowhere.
        objects: How many objects or segments an annotation file lists; None where labels are pixels.
        crowds: How many of them are crowds.
        background: Whether pixels of no class are background, as outside of objects.
    """

    pixels: Mapping[int, int]
    ignored: int
    objects: int | None = None
    crowds: int = 0
    background: bool = False

    @property
    def size(self) -> int:
        """All pixels that were counted, at least 1."""
        return max(1, self.ignored + sum(self.pixels.values()))

    @property
    def ignore_share(self) -> float:
        """The share of the pixels that count nowhere."""
        return self.ignored / self.size


@dataclass(frozen=True)
class Sample:
    """The record of a sample.

    Attributes:
        image: Its file.
        labels: Its label maps, as far as it has any.
        size: (height, width) as loaded; None where it cannot be.
        truths: One a label space; None where it cannot be read, or there is none.
        faults: What is wrong with it.
        orientation: The EXIF orientation by which it was turned, 1 for upright.
        look: What the image is recognised by.
    """

    image: str
    labels: tuple[str, ...]
    size: tuple[int, int] | None
    truths: tuple[Truth | None, ...]
    faults: tuple[Fault, ...]
    orientation: int
    look: Look | None


@dataclass(frozen=True)
class Pixels:
    """An image, BGR [H, W, C], and its classes [H, W], one map a label space, as far as they can be loaded."""

    image: np.ndarray | None
    labels: tuple[np.ndarray | None, ...]


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


def look_of(image: np.ndarray) -> Look:
    """What an image, [H, W] or [H, W, C], is recognised by."""
    grey = image if image.ndim == 2 else np.ascontiguousarray(image[..., :3].mean(-1) if image.shape[2] != 3 else image)
    if grey.ndim == 3:
        grey = cv2.cvtColor(grey, cv2.COLOR_BGR2GRAY) if grey.dtype == np.uint8 else grey.mean(-1)
    if grey.dtype != np.uint8:
        low, high = float(grey.min()), float(grey.max())
        grey = ((grey - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)
    thumbnail = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    digest = sha1(str(image.shape).encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(image).data)
    return Look(digest.digest(), thumbnail)


def _read_image(step: Any, info: dict[str, Any], faults: list[Fault]) -> tuple[np.ndarray | None, int]:
    """The image [H, W, C], and the EXIF orientation by which it was turned."""
    path = info.get('img_path')
    if step is None or not path:
        return None, 1
    if not _passes('cut-off', lambda: check_whole(path), path, faults):
        return None, 1
    image: np.ndarray | None = _loaded('image', 'image', step.transform, info, 'img', path, faults)
    if image is None:
        return None, 1
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
        faults.append(Fault(code, message.removeprefix(f'{path}: ')))
        return None


def _passes(code: str, check: Callable[[], None], path: str | None, faults: list[Fault]) -> bool:
    try:
        check()
    except Exception as error:  # a check decodes what it checks
        message = str(error) if isinstance(error, DataError) else fault_of_data(error, [path])
        faults.append(Fault(code, message or f'{type(error).__name__}: {error}'))
        return False
    return True
