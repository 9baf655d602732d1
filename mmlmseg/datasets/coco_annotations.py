"""Annotation files of COCO's panoptic format: images, the categories of a release, and the segments of each image."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError, LabelSpaceError, did_you_mean
from ..label_space import LabelSpace
from ..names import name_key
from ..segments import MAX_ID


class AnnotatedImage(NamedTuple):
    """An image and its segments.

    Attributes:
        image_id: As in the annotation file; a number or a string.
        image: File name of the image.
        png: File name of the map of segment ids.
        segments: Id, class and crowd flag of each segment.
    """

    image_id: Hashable
    image: str
    png: str
    segments: list[tuple[int, int, bool]]


def read_annotations(path: str | Path) -> dict[str, Any]:
    """Reads an annotation file.

    Returns:
        With the lists ``images``, ``annotations`` (with ``segments_info``) and ``categories``.

    Raises:
        DataError: Where the file is missing, no JSON, or of another format; it is named.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise DataError(f'{path}: no such file; ann_file must be the JSON file of the panoptic annotations') from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: not valid JSON ({error})') from None
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f"{path}: has no list {key!r}; it is no annotation file of COCO's panoptic format")
    if any('segments_info' not in annotation for annotation in content['annotations']):
        raise DataError(f'{path}: has annotations without "segments_info"; take panoptic_*.json, not instances_*.json')
    return content


def match_categories(categories: Sequence[Mapping[str, Any]], space: LabelSpace) -> dict[int, int]:
    """Finds the class of each category by name, never by place.

    Names are equal where they normalise alike (:func:`name_key`); a category left over is the one class left over that
    shares a name or synonym with it.

    Args:
        categories: Each with ``id``, ``name`` and ``isthing``.
        space: The label space.

    Returns:
        Labels by category id.

    Raises:
        LabelSpaceError: Where a category or a class has no counterpart, or one is a thing and the other is stuff.
    """
    found = LabelSpace.from_categories(space.name, categories)
    ids = [category['id'] for category in categories]
    if twice := [category_id for category_id, count in Counter(ids).items() if count > 1]:
        raise LabelSpaceError(f'several categories have the id {twice[0]}; give each its own')
    labels = _match_names(found, space)
    strangers = [name for name, label in zip(found.classes, labels, strict=True) if label is None]
    missing = [name for label, name in enumerate(space.classes) if label not in labels]
    if strangers:
        raise LabelSpaceError(
            f'{len(strangers)} of {len(ids)} categories are no class of the label space {space.name!r}: '
            f'{", ".join(strangers[:5])}.{did_you_mean(strangers[0], missing)}'
        )
    if missing:
        raise LabelSpaceError(
            f'{len(missing)} of {space.num_classes} classes of the label space {space.name!r} are no category: '
            f'{", ".join(missing[:5])}.{did_you_mean(missing[0], found.classes)}'
        )
    label_of = {category_id: label for category_id, label in zip(ids, labels, strict=True) if label is not None}
    for category in categories:
        if bool(category['isthing']) != space.is_thing[label_of[category['id']]]:
            kinds = ('a thing', 'stuff') if category['isthing'] else ('stuff', 'a thing')
            raise LabelSpaceError(
                f'the category {category["name"]!r} is {kinds[0]} (isthing), but {kinds[1]} in the label space '
                f'{space.name!r}; correct the file, or thing_classes in the metainfo of the dataset'
            )
    return label_of


def _match_names(found: LabelSpace, space: LabelSpace) -> list[int | None]:
    """The label in a space of each class of another, None where there is none."""

    def names(owner: LabelSpace, label: int) -> set[str]:
        return {name.replace('-', ' ') for name in (owner.names[label], *owner.synonyms[label])}

    by_key = {name_key(name): label for label, name in enumerate(space.classes)}
    labels = [by_key.get(name_key(name)) for name in found.classes]
    for i, label in enumerate(labels):
        if label is None:
            free = (other for other in range(space.num_classes) if other not in labels)
            alike = [other for other in free if names(space, other) & names(found, i)]
            labels[i] = alike[0] if len(alike) == 1 else None
    return labels


def annotated_images(content: Mapping[str, Any], label_of: Mapping[int, int]) -> list[AnnotatedImage]:
    """Brings the images of an annotation file together with their segments, in the order of ``images``.

    Args:
        content: Of :func:`read_annotations`.
        label_of: Labels by category id.

    Raises:
        DataError: Where images and annotations are not one to one, or a segment has an unknown category or a bad id.
    """
    try:
        return _annotated_images(content, label_of)
    except KeyError as error:
        raise DataError(f'an image, an annotation or a segment has no {error}') from None


def _annotated_images(content: Mapping[str, Any], label_of: Mapping[int, int]) -> list[AnnotatedImage]:
    annotations: dict[Hashable, Mapping[str, Any]] = {}
    for annotation in content['annotations']:
        if annotations.setdefault(annotation['image_id'], annotation) is not annotation:
            raise DataError(f'image {annotation["image_id"]!r} is annotated twice; keep one annotation per image')
    found = []
    for image in content['images']:
        annotation = annotations.pop(image['id'], None)
        if annotation is None:
            raise DataError(
                f'image {image["id"]!r} ({image["file_name"]}) has no annotation, or is listed twice; '
                'images and annotations of one split belong into a file'
            )
        segments = [_segment(segment, image['file_name'], label_of) for segment in annotation['segments_info']]
        ids = [segment_id for segment_id, _, _ in segments]
        if len(set(ids)) < len(ids):
            twice = next(segment_id for segment_id in ids if ids.count(segment_id) > 1)
            raise DataError(f'image {image["file_name"]}: two segments have the id {twice}; give each its own')
        found.append(AnnotatedImage(image['id'], image['file_name'], annotation['file_name'], segments))
    if annotations:
        raise DataError(
            f'{len(annotations)} annotations are of images that the file does not list, the first of image '
            f'{next(iter(annotations))!r}; images and annotations of one split belong into a file'
        )
    return found


def _segment(described: Mapping[str, Any], image: str, label_of: Mapping[int, int]) -> tuple[int, int, bool]:
    segment_id, category = described['id'], described['category_id']
    if category not in label_of:
        raise DataError(f'image {image}, segment {segment_id}: its category_id {category!r} is no category of the file')
    if not isinstance(segment_id, int) or not 0 < segment_id <= MAX_ID:
        raise DataError(f'image {image}: segment id {segment_id!r} is no number of 1..{MAX_ID}; 0 is void')
    return segment_id, label_of[category], bool(described.get('iscrowd', 0))
