"""Objects of an image in COCO's instance format: their masks, and which of them is on top where they overlap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Literal, NamedTuple

import numpy as np

from ..errors import DataError, written
from ..label_space import LabelSpace
from ..segments import BACKGROUND
from .coco_annotations import value_of
from .truth import Numbered, segments_of_masks

Size = tuple[int, int]

Overlaps = Literal['smaller', 'later', 'error']
"""Which of two objects that overlap is on top: the smaller one, the later one in the file; or that is an error."""


class AnnotatedObject(NamedTuple):
    """Class and crowd flag of an object; its parts, each polygons ``[[x, y, x, y, ...], ...]`` or a run-length code;
    and the place of its first annotation in the file."""

    label: int
    crowd: bool
    parts: tuple[list[list[float]] | dict[str, Any], ...]
    place: int


def mask_of(segmentation: list[list[float]] | dict[str, Any], size: Size) -> np.ndarray:
    """The pixels of an object as COCO's own tools draw them, bool [H, W]; see :func:`code_of`."""
    from pycocotools import mask as coco

    return coco.decode(code_of(segmentation, size)).view(bool)


def code_of(segmentation: list[list[float]] | dict[str, Any], size: Size) -> dict[str, Any]:
    """The compressed run-length code of an object, as pycocotools takes it.

    Args:
        segmentation: Polygons, or a run-length code, compressed or not.
        size: (H, W) of the image.
    """
    from pycocotools import mask as coco

    height, width = size
    if isinstance(segmentation, list):
        return coco.merge(coco.frPyObjects([list(map(float, ring)) for ring in segmentation], height, width))
    if isinstance(segmentation['counts'], list):
        return coco.frPyObjects(segmentation, height, width)
    return segmentation


def check_segmentation(segmentation: Any, size: Size) -> None:
    """Makes sure that pycocotools will draw what an annotation means: it fails on some faults and guesses on others."""
    if isinstance(segmentation, Mapping):
        counts, own = value_of(segmentation, 'counts'), value_of(segmentation, 'size')
        if own != [*size]:
            raise DataError(f'its run-length code is of size {written(own)}, the image of {[*size]} (height, width)')
        if isinstance(counts, list):
            if not all(isinstance(n, int) and n >= 0 for n in counts) or sum(counts) != size[0] * size[1]:
                raise DataError(f'its run lengths are no whole numbers with the sum {size[0] * size[1]} of all pixels')
        elif not isinstance(counts, str):
            raise DataError(f"'counts' is {written(counts)}; a run-length code is a text or a list")
        return
    if not isinstance(segmentation, list) or not segmentation:
        raise DataError(f"'segmentation' is {written(segmentation)}; an object needs a polygon or a run-length code")
    for ring in segmentation:
        if not isinstance(ring, list) or len(ring) < 6 or len(ring) % 2:
            raise DataError(f'the polygon {written(ring)} must list three points or more: [x, y, x, y, x, y, ...]')
        if not set(map(type, ring)) <= {int, float} or not math.isfinite(sum(ring)):
            raise DataError(f'the polygon {written(ring)} must hold numbers only')


def read_objects(
    objects: Sequence[AnnotatedObject],
    size: Size,
    space: LabelSpace,
    overlaps: Overlaps = 'smaller',
    rest: int = BACKGROUND,
) -> tuple[np.ndarray, Numbered, list[np.ndarray]]:
    """Classes and segments of the pixels of an image, and what lies below these; see :func:`segments_of_masks`."""
    masks = []
    for one in objects:
        try:
            masks.append(reduce(np.logical_or, [mask_of(part, size) for part in one.parts]))
        except ValueError as error:
            raise DataError(f'the mask of annotations[{one.place}], {space.classes[one.label]!r}: {error}') from None
    if overlaps == 'error':
        _refuse_overlaps(objects, masks, size, space)
    ranks = [-place if overlaps == 'later' else np.count_nonzero(mask) for place, mask in enumerate(masks)]
    order = sorted(range(len(masks)), key=lambda place: (objects[place].crowd, ranks[place]))  # from the top
    labels, crowd = [one.label for one in objects], [one.crowd for one in objects]
    return segments_of_masks(masks, labels, crowd, size, space, order, rest)


def _refuse_overlaps(
    objects: Sequence[AnnotatedObject], masks: Sequence[np.ndarray], size: Size, space: LabelSpace
) -> None:
    owner = np.full(size, -1, np.int32)
    for number, (one, mask) in enumerate(zip(objects, masks, strict=True)):
        if one.crowd:
            continue
        if (shared := owner[mask].max(initial=-1)) >= 0:
            other, pixels = objects[shared], np.count_nonzero(mask & (owner == shared))
            raise DataError(
                f'annotations[{other.place}] ({space.classes[other.label]}) and annotations[{one.place}] '
                f"({space.classes[one.label]}) overlap in {pixels} pixels, and overlaps='error' is set; correct the "
                "file, or say which is on top: overlaps='smaller' or 'later'"
            )
        owner[mask] = number
