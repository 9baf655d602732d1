"""Panoptic data in COCO's format: an annotation file with categories, and a map of segment ids for each image."""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from mmseg.datasets import BaseSegDataset

from ..errors import DataError, LabelSpaceError, did_you_mean, errors_of, read_json
from ..label_space import LabelSpace
from ..names import default_space_name, name_key
from ..registry import DATASETS
from ..segments import MAX_ID
from .checks import check_class_count


class AnnotatedImage(NamedTuple):
    """An image with the file names of image and map, and id, class and crowd flag of each segment."""

    image_id: Hashable
    image: str
    png: str
    segments: list[tuple[int, int, bool]]


def read_annotations(path: str | Path) -> dict[str, Any]:
    """Reads the lists ``images``, ``annotations`` (with ``segments_info``) and ``categories`` of an annotation file."""
    content: Any = read_json(path, DataError, 'ann_file must be the JSON file of the panoptic annotations')
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f"{path}: has no list {key!r}; it is no annotation file of COCO's panoptic format")
    if any('segments_info' not in annotation for annotation in content['annotations']):
        raise DataError(f'{path}: has annotations without "segments_info"; take panoptic_*.json, not instances_*.json')
    return content


def match_categories(categories: Sequence[Mapping[str, Any]], space: LabelSpace) -> dict[int, int]:
    """Finds the class of each category by name, never by place; each must have its counterpart, of the same kind.

    Names are equal where they normalise alike (:func:`name_key`); a category left over is the one class left over that
    shares a name or synonym with it. Returned are labels by category id.
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
    """Brings the images of an annotation file together with their segments, one to one, in the order of ``images``."""
    annotations: dict[Hashable, Mapping[str, Any]] = {}
    found = []
    try:
        for annotation in content['annotations']:
            if annotations.setdefault(annotation['image_id'], annotation) is not annotation:
                raise DataError(f'image {annotation["image_id"]!r} is annotated twice; keep one annotation per image')
        for image in content['images']:
            found.append(_annotated_image(image, annotations.pop(image['id'], None), label_of))
    except KeyError as error:
        raise DataError(f'an image, an annotation or a segment has no {error}') from None
    if annotations:
        raise DataError(
            f'{len(annotations)} annotations are of images that the file does not list, the first of image '
            f'{next(iter(annotations))!r}; images and annotations of one split belong into a file'
        )
    return found


def _annotated_image(
    image: Mapping[str, Any], annotation: Mapping[str, Any] | None, label_of: Mapping[int, int]
) -> AnnotatedImage:
    name = image['file_name']
    if annotation is None:
        raise DataError(
            f'image {image["id"]!r} ({name}) has no annotation, or is listed twice; '
            'images and annotations of one split belong into a file'
        )
    segments: dict[int, tuple[int, int, bool]] = {}
    for described in annotation['segments_info']:
        segment, category = described['id'], described['category_id']
        if category not in label_of:
            raise DataError(f'image {name}, segment {segment}: its category_id {category!r} is no category of the file')
        if not isinstance(segment, int) or not 0 < segment <= MAX_ID:
            raise DataError(f'image {name}: segment id {segment!r} is no number of 1..{MAX_ID}; 0 is void')
        if segment in segments:
            raise DataError(f'image {name}: two segments have the id {segment}; give each its own')
        segments[segment] = (segment, label_of[category], bool(described.get('iscrowd', 0)))
    return AnnotatedImage(image['id'], name, annotation['file_name'], list(segments.values()))


@DATASETS.register_module()
class PanopticDataset(BaseSegDataset):
    """Panoptic data in COCO's format: a JSON file, and for each image a PNG of segment ids.

    The label space is what METAINFO or ``metainfo`` declare (``classes``, ``thing_classes``, ``palette``); categories
    are matched with it by name. Without either, it is the ``categories`` of the file in their order. Samples are read
    by ``mmlmseg.LoadSegments``. Every file is looked for at the start.

    Args:
        ann_file: The JSON file.
        data_root: What the other paths start from.
        data_prefix: ``img_path`` and ``seg_map_path``, the folders of the images and of the PNG files.
        metainfo: The label space, and what else is to be known; ``label_space`` names it.
        lazy_init: Whether to read the list of samples later, with :meth:`full_init`.
        **kwargs: Everything else that mmseg's datasets take, e.g. ``pipeline``, ``indices``.

    Raises:
        LabelSpaceError: Where categories and label space differ.
        DataError: Where a file is missing or contradicts itself.
    """

    def __init__(
        self,
        ann_file: str = '',
        data_root: str | None = None,
        data_prefix: Mapping[str, str] | None = None,
        metainfo: Mapping[str, Any] | None = None,
        lazy_init: bool = False,
        **kwargs: Any,
    ) -> None:
        described = {**self.METAINFO, **copy.deepcopy(dict(metainfo or {}))}
        name = described.setdefault('label_space', default_space_name(type(self).__name__))
        self._content: dict[str, Any] | None = None
        if 'classes' not in described:
            file = os.path.join(data_root or '', ann_file)
            self._content = read_annotations(file)
            with errors_of(file):
                described = {**LabelSpace.from_categories(name, self._content['categories']).to_metainfo(), **described}
        self.space = LabelSpace.from_metainfo(name, described)
        check_class_count(self.space)
        known = self.space.to_metainfo()
        prefix = dict(data_prefix or dict(img_path='', seg_map_path=''))
        super().__init__(ann_file, data_root=data_root, data_prefix=prefix, metainfo=known, lazy_init=True, **kwargs)
        # Set here and not above: mmengine reads strings in `metainfo` as names of files wherever such a file exists.
        self._metainfo.update({key: value for key, value in described.items() if key not in known})
        if not lazy_init:
            self.full_init()

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> None:
        """None: labels come from names, so there is nothing to be mapped."""

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The description of a sample before its pipeline, with ``spaces``, its label space."""
        return {**super().get_data_info(idx), 'spaces': (self.space,)}

    def load_data_list(self) -> list[dict[str, Any]]:
        """One dict per sample, as mmseg's transforms want it, with ``image_id`` and ``segments``."""
        content, self._content = self._content or read_annotations(self.ann_file), None
        with errors_of(self.ann_file):
            label_of = match_categories(content['categories'], self.space)
            images = annotated_images(content, label_of)
        self._metainfo['category_ids'] = sorted(label_of, key=label_of.__getitem__)
        samples: list[dict[str, Any]] = [
            dict(
                img_path=os.path.join(self.data_prefix['img_path'], image.image),
                seg_map_path=os.path.join(self.data_prefix['seg_map_path'], image.png),
                image_id=image.image_id,
                segments=image.segments,
                label_map=None,
                reduce_zero_label=False,
                seg_fields=[],
            )
            for image in images
        ]
        listed = cache(lambda folder: set(os.listdir(folder)) if os.path.isdir(folder) else set())
        for key, what in (('img_path', 'image'), ('seg_map_path', 'PNG')):
            paths = [sample[key] for sample in samples]
            if missing := [path for path in paths if os.path.basename(path) not in listed(os.path.dirname(path))]:
                raise DataError(
                    f'{self.ann_file}: its {what} {missing[0]} is missing ({len(missing)} of {len(samples)} are); '
                    f'complete the download, or correct data_prefix[{key!r}]'
                )
        return samples
