"""Objects in COCO's instance format: polygons and run-length codes in an annotation file."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from mmengine.logging import print_log

from ..errors import DataError, written
from ..label_space import LabelSpace
from ..registry import DATASETS
from .annotation_file import AnnotationFileDataset
from .coco_annotations import Id, crowd_flag, file_of, id_of, match_categories, read_each, read_lists, value_of
from .truth import Numbered, segments_of_masks

Size = tuple[int, int]

_MANY_CROWDS = 0.3  # of all objects; COCO has one in a hundred


class AnnotatedObject(NamedTuple):
    """Class, crowd flag and mask of an object: polygons ``[[x, y, x, y, ...], ...]``, or a run-length code."""

    label: int
    crowd: bool
    segmentation: list[list[float]] | dict[str, Any]


def read_instances_file(path: str | Path) -> dict[str, Any]:
    """Reads the lists ``images``, ``annotations`` (of objects) and ``categories`` of an annotation file."""
    content = read_lists(path, 'ann_file must be the JSON file of the instance annotations')
    if any(isinstance(entry, Mapping) and 'segments_info' in entry for entry in content['annotations']):
        raise DataError(f'{path}: has "segments_info"; panoptic_*.json are read by mmlmseg.PanopticDataset')
    return content


def mask_of(segmentation: list[list[float]] | dict[str, Any], size: Size) -> np.ndarray:
    """The pixels of an object as COCO's own tools draw them, bool [H, W]; see :func:`code_of`."""
    from pycocotools import mask as coco

    return coco.decode(code_of(segmentation, size)).astype(bool)


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
    objects: Sequence[AnnotatedObject], size: Size, space: LabelSpace
) -> tuple[np.ndarray, Numbered, list[np.ndarray]]:
    """Classes and segments of the pixels of an image, and what lies below these; see :func:`segments_of_masks`."""
    masks = []
    for one in objects:
        try:
            masks.append(mask_of(one.segmentation, size))
        except ValueError as error:
            raise DataError(f'the mask of object {len(masks)}, {space.classes[one.label]!r}: {error}') from None
    return segments_of_masks(masks, [one.label for one in objects], [one.crowd for one in objects], size, space)


@DATASETS.register_module()
class InstanceDataset(AnnotationFileDataset):
    """Objects in COCO's instance format: a JSON file with polygons or run-length codes, as annotation tools export it.

    Every category is a thing, unless ``thing_classes`` in ``metainfo`` names those that are. Pixels outside of all
    objects are background: a model learns that nothing is there. Pixels of crowds (``iscrowd``) are void. Where objects
    overlap, a model learns the smaller one; metrics know all of both. Categories without an object may be missing in
    ``classes``, and an image may have no object.

    Arguments and errors are those of :class:`AnnotationFileDataset`; ``data_prefix`` has ``img_path``, the folder of
    the images.

    Examples:
        >>> dataset = dict(
        ...     type='mmlmseg.InstanceDataset',
        ...     ann_file='data/parts/instances.json',
        ...     data_prefix=dict(img_path='data/parts/images'),
        ...     metainfo=dict(label_space='parts'),
        ...     pipeline=[
        ...         dict(type='LoadImageFromFile'),
        ...         dict(type='mmlmseg.LoadSegments'),
        ...         dict(type='mmlmseg.PackSegments'),
        ...     ],
        ... )
    """

    prefixes: ClassVar[Mapping[str, str]] = dict(img_path='image')
    all_things: ClassVar[bool] = True

    @staticmethod
    def read_file(path: str) -> dict[str, Any]:
        return read_instances_file(path)

    def read_samples(self, content: dict[str, Any]) -> tuple[dict[Any, int], list[dict[str, Any]]]:
        images: dict[Id, dict[str, Any]] = {}

        def keep(image: Mapping[str, Any]) -> None:
            image_id, size = id_of(image, 'id'), (_side(image, 'height'), _side(image, 'width'))
            if image_id in images:
                raise DataError(f'two images have the id {image_id!r}; give each its own')
            images[image_id] = dict(img_path=file_of(image), image_id=image_id, size=size, objects=[])

        def draw(annotation: Mapping[str, Any]) -> tuple[Id, Id, bool]:
            image_id, category = id_of(annotation, 'image_id'), id_of(annotation, 'category_id')
            if image_id not in images:
                raise DataError(
                    f'image {image_id!r} is not listed; images and annotations of one split belong together'
                )
            check_segmentation(value_of(annotation, 'segmentation'), images[image_id]['size'])
            return image_id, category, crowd_flag(annotation)

        read_each('images', content['images'], keep)
        read = read_each('annotations', content['annotations'], draw)
        known = set(read_each('categories', content['categories'], lambda category: id_of(category, 'id')))
        for place, (_, category, _) in enumerate(read):
            if category not in known:
                raise DataError(f'annotations[{place}]: its category_id {category!r} is no category of the file')
        label_of = match_categories(content['categories'], self.space, used={category for _, category, _ in read})
        for (image_id, category, crowd), annotation in zip(read, content['annotations'], strict=True):
            images[image_id]['objects'].append(AnnotatedObject(label_of[category], crowd, annotation['segmentation']))
        self._warn_of_crowds([crowd for _, _, crowd in read])
        return label_of, list(images.values())

    def _warn_of_crowds(self, crowds: list[bool]) -> None:
        if sum(crowds) > _MANY_CROWDS * len(crowds):
            print_log(
                f'{self.ann_file}: {sum(crowds)} of {len(crowds)} annotations are crowds (iscrowd), which are neither '
                'trained nor scored; some tools write it where they mean a run-length code',
                'current',
                logging.WARNING,
            )


def _side(image: Mapping[str, Any], key: str) -> int:
    value = value_of(image, key)
    if not isinstance(value, int) or value < 1:
        raise DataError(f'{key!r} is {written(value)}; it must be a number of pixels')
    return value
