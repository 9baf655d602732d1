"""Panoptic data in COCO's format: an annotation file with categories, and a map of segment ids for each image."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from mmengine.logging import print_log

from ..errors import DataError, written
from ..panoptic_png import MAX_ID
from ..registry import DATASETS
from .annotation_file import AnnotationFileDataset
from .coco_annotations import (
    Id,
    crowd_flag,
    file_of,
    id_of,
    match_categories,
    read_each,
    read_lists,
    value_of,
)
from .coco_federated import NEGATIVE, is_federated

_CITYSCAPES_NAME = '_gtFine_leftImg8bit.png'


class AnnotatedImage(NamedTuple):
    """An image with the file names of image and map, and id, class and crowd flag of each segment."""

    image_id: Id
    image: str
    png: str
    segments: list[tuple[int, int, bool]]


def read_annotations(path: str | Path) -> dict[str, Any]:
    """Reads the lists ``images``, ``annotations`` (with ``segments_info``) and ``categories`` of an annotation file."""
    content = read_lists(path, 'ann_file must be the JSON file of the panoptic annotations')
    if any(isinstance(entry, Mapping) and 'segments_info' not in entry for entry in content['annotations']):
        raise DataError(
            f'{path}: has annotations without "segments_info"; take panoptic_*.json, or mmlmseg.InstanceDataset for '
            'instances_*.json'
        )
    if is_federated(content['images']):
        raise DataError(
            f'{path}: by {NEGATIVE!r} or its like its images are labelled for some classes only, but in panoptic data '
            'every pixel has a class; take the lists out, or read objects with mmlmseg.InstanceDataset'
        )
    return content


def annotated_images(content: Mapping[str, Any], label_of: Mapping[Id, int]) -> list[AnnotatedImage]:
    """Brings the images of an annotation file together with their segments, one to one, in the order of ``images``."""
    annotations: dict[Id, Mapping[str, Any]] = {}

    def keep(annotation: Mapping[str, Any]) -> None:
        if annotations.setdefault(id_of(annotation, 'image_id'), annotation) is not annotation:
            raise DataError(f'image {annotation["image_id"]!r} is annotated twice; keep one annotation per image')

    def join(image: Mapping[str, Any]) -> AnnotatedImage:
        return _annotated_image(image, annotations.pop(id_of(image, 'id'), None), label_of)

    read_each('annotations', content['annotations'], keep)
    found = read_each('images', content['images'], join)
    if annotations:
        raise DataError(
            f'{len(annotations)} annotations are of images that the file does not list, the first of image '
            f'{next(iter(annotations))!r}; images and annotations of one split belong into a file'
        )
    return found


def _annotated_image(
    image: Mapping[str, Any], annotation: Mapping[str, Any] | None, label_of: Mapping[Id, int]
) -> AnnotatedImage:
    name = file_of(image)
    if annotation is None:
        raise DataError(
            f'image {image["id"]!r} ({name}) has no annotation, or is listed twice; '
            'images and annotations of one split belong into a file'
        )
    segments: dict[int, tuple[int, int, bool]] = {}

    def keep(described: Mapping[str, Any]) -> None:
        segment, category = value_of(described, 'id'), id_of(described, 'category_id')
        if category not in label_of:
            raise DataError(f'segment {segment}: its category_id {category!r} is no category of the file')
        if not isinstance(segment, int) or not 0 < segment <= MAX_ID:
            raise DataError(f'segment id {written(segment)} is no number of 1..{MAX_ID}; 0 is void')
        if segment in segments:
            raise DataError(f'two segments have the id {segment}; give each its own')
        segments[segment] = (segment, label_of[category], crowd_flag(described))

    read_each(f'image {name}: segments_info', annotation['segments_info'], keep)
    return AnnotatedImage(image['id'], _image_file(name), file_of(annotation), list(segments.values()))


def _image_file(name: str) -> str:
    """The file of an image: what is said, but cityscapesscripts writes a name that no image of Cityscapes has."""
    if not name.endswith(_CITYSCAPES_NAME):
        return name
    stem = name.removesuffix(_CITYSCAPES_NAME)  # CITY_SEQUENCE_FRAME
    return f'{stem.split("_")[0]}/{stem}_leftImg8bit.png'


@DATASETS.register_module()
class PanopticDataset(AnnotationFileDataset):
    """Panoptic data in COCO's format: a JSON file, and for each image a PNG of segment ids.

    Arguments and errors are those of :class:`AnnotationFileDataset`; ``data_prefix`` has ``img_path`` and
    ``seg_map_path``, the folders of the images and of the PNG files. Where the file calls no category a thing,
    ``thing_classes`` of ``metainfo`` says which are. The files of cityscapesscripts are read as well.
    """

    prefixes: ClassVar[Mapping[str, str]] = dict(img_path='image', seg_map_path='PNG')
    all_things: ClassVar[bool] = False

    def read_file(self, path: str) -> dict[str, Any]:
        return read_annotations(path)

    def read_samples(self, content: dict[str, Any]) -> tuple[dict[Any, int], list[dict[str, Any]]]:
        label_of = match_categories(content['categories'], self.space)
        if content.get('unlabelled'):
            return label_of, read_each(
                'images', content['images'], lambda image: dict(img_path=file_of(image), image_id=id_of(image, 'id'))
            )
        images = annotated_images(content, label_of)
        if not self.space.things:
            self._warn_of_objects(images)
        return label_of, [
            dict(img_path=one.image, seg_map_path=one.png, image_id=one.image_id, segments=one.segments)
            for one in images
        ]

    def _warn_of_objects(self, images: list[AnnotatedImage]) -> None:
        """Warns where classes have several segments in an image, but none is a thing: some tools lose ``isthing``."""
        counts = [Counter(label for _, label, crowd in image.segments if not crowd) for image in images]
        several = Counter(label for count in counts for label, number in count.items() if number > 1)
        if several:
            named = ', '.join(self.space.classes[label] for label, _ in several.most_common(5))
            print_log(
                f'{self.ann_file}: calls no category a thing ("isthing" is 0 everywhere), but some have several '
                f'segments in an image, which are united: {named}. If they are things, say so in the file, or in the '
                'config: metainfo=dict(thing_classes=[...])',
                'current',
                logging.WARNING,
            )
