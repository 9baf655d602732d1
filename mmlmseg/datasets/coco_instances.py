"""A dataset in COCO's instance format: objects as polygons and run-length codes in an annotation file."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, get_args

from mmengine.logging import print_log

from ..errors import DataError, LabelSpaceError, OptionError, did_you_mean, written
from ..federated import FEDERATED, SearchedClasses
from ..names import name_key
from ..registry import DATASETS
from ..segments import BACKGROUND, ignore_index_of
from .annotation_file import AnnotationFileDataset
from .coco_annotations import Id, crowd_flag, file_of, id_of, match_categories, read_each, read_lists, value_of
from .coco_federated import NEGATIVE, is_federated, read_frequency, read_searched
from .coco_objects import AnnotatedObject, Overlaps, check_segmentation

Drawn = tuple[Id, Id, bool]
"""Image, category and crowd flag of an annotation."""

_MANY_CROWDS = 0.1  # of all objects; COCO has one in a hundred


def read_instances_file(path: str | Path) -> dict[str, Any]:
    """Reads the lists ``images``, ``annotations`` (of objects) and ``categories`` of an annotation file."""
    content = read_lists(path, 'ann_file must be the JSON file of the instance annotations')
    if any(isinstance(entry, Mapping) and 'segments_info' in entry for entry in content['annotations']):
        raise DataError(f'{path}: has "segments_info"; panoptic_*.json are read by mmlmseg.PanopticDataset')
    return content


def parts_of_objects(annotations: Sequence[Mapping[str, Any]], drawn: Sequence[Drawn]) -> list[list[int]]:
    """The places of the annotations of each object: those of an image that share an ``id`` are parts of one.

    Raises:
        DataError: Where such parts are not of one class, or other images have their ``id``, which then tells nothing.
    """
    places: dict[tuple[Id | None, Id | int], list[int]] = {}
    for place, (annotation, (image_id, _, _)) in enumerate(zip(annotations, drawn, strict=True)):
        own = annotation.get('id')
        key = (image_id, own) if isinstance(own, (int, str)) and not isinstance(own, bool) else (None, place)
        places.setdefault(key, []).append(place)
    images = Counter(own for image_id, own in places if image_id is not None)
    for (_, own), parts in places.items():
        if len(parts) > 1 and (images[own] > 1 or len({drawn[place] for place in parts}) > 1):
            what = 'objects of several images' if images[own] > 1 else 'of several categories, or a crowd among them'
            raise DataError(
                f'annotations[{parts[1]}]: has the id {own!r} of annotations[{parts[0]}], as parts of one object have, '
                f'but they are {what}; give each object an id of its own'
            )
    return list(places.values())


@DATASETS.register_module()
class InstanceDataset(AnnotationFileDataset):
    """Objects in COCO's instance format: a JSON file with polygons or run-length codes, as annotation tools export it.

    Every category is a thing, unless ``thing_classes`` in ``metainfo`` names those that are. Pixels of crowds
    (``iscrowd``) are void. Where objects overlap, a model learns the one on top; metrics of instances know all of both.
    Categories without an object may be missing in ``classes``, and an image may have no object. Annotations of an image
    that share an ``id`` are parts of one object.

    Where images have ``neg_category_ids``, as those of LVIS, they are labelled for some classes only: those that they
    have annotations of, and those of this list (:mod:`mmlmseg.federated`). Of the classes in
    ``not_exhaustive_category_ids`` only some objects are marked. ``frequency`` of categories gives scores of rare,
    common and frequent classes.

    Args:
        ann_file: The JSON file.
        overlaps: Which of two objects that overlap is on top: the ``'smaller'``, the ``'later'`` one in the file; or
            that is an ``'error'``. Crowds lie below all others.
        rest: What is outside of all objects. By default it is background: a model learns that nothing is there, and
            only instances can be scored. ``'ignore'``: it counts nowhere. Else the name of a stuff class, which is
            added to the categories of the file where it is none of them.
        crowds: Whether ``iscrowd`` is believed; some tools write it where they mean a run-length code.
        metainfo, kwargs: As of :class:`AnnotationFileDataset`; ``data_prefix`` has ``img_path``, the folder of the
            images.

    Raises:
        OptionError: Where ``overlaps`` is another word, ``rest`` is a thing, or a class beside images that are labelled
            for some classes only.
        DataError, LabelSpaceError: As of :class:`AnnotationFileDataset`.

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

    def __init__(
        self,
        ann_file: str = '',
        overlaps: Overlaps = 'smaller',
        rest: str | None = None,
        crowds: bool = True,
        metainfo: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if overlaps not in get_args(Overlaps):
            raise OptionError(f'overlaps={overlaps!r}; write {", ".join(map(repr, get_args(Overlaps)))}')
        if rest is not None and not isinstance(rest, str):
            raise OptionError(f"rest={rest!r}; write 'ignore' or the name of a class")
        self.overlaps = overlaps
        self.crowds = crowds
        self.rest_class = None if rest in (None, 'ignore') else rest
        described = {**self.METAINFO, **(metainfo or {})}
        if self.rest_class and 'classes' in described and 'thing_classes' not in described:
            things = [name for name in described['classes'] if not self._is_rest(name)]
            metainfo = {**(metainfo or {}), 'thing_classes': things}
        super().__init__(ann_file, metainfo=metainfo, **kwargs)
        self.rest = BACKGROUND if rest is None else self._find_rest()

    def _is_rest(self, name: Any) -> bool:
        return bool(self.rest_class) and isinstance(name, str) and name_key(name) == name_key(str(self.rest_class))

    def _find_rest(self) -> int:
        """The label outside of all objects."""
        if not self.rest_class:
            return ignore_index_of(self.space.num_classes)
        label = next((label for label, name in enumerate(self.space.classes) if self._is_rest(name)), None)
        if label is None:
            raise LabelSpaceError(
                f'rest={self.rest_class!r} is no class of the label space {self.space.name!r}; add it to the '
                f'classes in the metainfo.{did_you_mean(self.rest_class, self.space.classes)}'
            )
        if self.space.is_thing[label]:
            raise OptionError(f'rest={self.rest_class!r} is a thing by thing_classes; what is everywhere else is stuff')
        return label

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The description of a sample before its pipeline, with ``overlaps`` and ``rest``, a label."""
        return {**super().get_data_info(idx), 'overlaps': self.overlaps, 'rest': self.rest}

    def read_file(self, path: str) -> dict[str, Any]:
        """Reads an annotation file; the class of the rest is one of its categories, and stuff."""
        content = read_instances_file(path)
        if self.rest_class:
            named = [c for c in content['categories'] if isinstance(c, dict) and self._is_rest(c.get('name'))]
            if not named:
                ids = [c.get('id') for c in content['categories'] if isinstance(c, dict)]
                numbers = [one for one in ids if isinstance(one, int)]
                free: Id = max(numbers, default=0) + 1 if len(numbers) == len(ids) else self.rest_class
                named = [dict(id=free, name=self.rest_class)]
                content['categories'] += named
            for category in named:
                category['isthing'] = 0
        return content

    def read_samples(self, content: dict[str, Any]) -> tuple[dict[Any, int], list[dict[str, Any]]]:
        images: dict[Id, dict[str, Any]] = {}

        def keep(image: Mapping[str, Any]) -> None:
            image_id, size = id_of(image, 'id'), (_side(image, 'height'), _side(image, 'width'))
            if image_id in images:
                raise DataError(f'two images have the id {image_id!r}; give each its own')
            images[image_id] = dict(img_path=_image_file(image), image_id=image_id, size=size, objects=[])

        def draw(annotation: Mapping[str, Any]) -> Drawn:
            image_id, category = id_of(annotation, 'image_id'), id_of(annotation, 'category_id')
            if image_id not in images:
                raise DataError(
                    f'image {image_id!r} is not listed; images and annotations of one split belong together'
                )
            check_segmentation(value_of(annotation, 'segmentation'), images[image_id]['size'])
            return image_id, category, crowd_flag(annotation) and self.crowds

        read_each('images', content['images'], keep)
        read = read_each('annotations', content['annotations'], draw)
        ids = read_each('categories', content['categories'], lambda category: id_of(category, 'id'))
        known = set(ids)
        for place, (_, category, _) in enumerate(read):
            if category not in known:
                raise DataError(f'annotations[{place}]: its category_id {category!r} is no category of the file')
        label_of = match_categories(content['categories'], self.space, used={category for _, category, _ in read})
        for places in parts_of_objects(content['annotations'], read):
            image_id, category, crowd = read[places[0]]
            parts = tuple(content['annotations'][place]['segmentation'] for place in places)
            images[image_id]['objects'].append(AnnotatedObject(label_of[category], crowd, parts, places[0]))
        if is_federated(content['images']):
            for image_id, searched in self._read_searched(content, read, label_of).items():
                images[image_id][FEDERATED] = searched
        frequency_of = dict(zip(ids, read_each('categories', content['categories'], read_frequency), strict=True))
        if any(frequency_of.values()):
            self._metainfo['frequency'] = [frequency_of[one] for one in sorted(label_of, key=label_of.__getitem__)]
        self._warn_of_crowds([crowd for _, _, crowd in read])
        return label_of, list(images.values())

    def _read_searched(
        self, content: dict[str, Any], drawn: Sequence[Drawn], label_of: Mapping[Id, int]
    ) -> dict[Id, SearchedClasses]:
        """The classes that were looked for, by image."""
        if self.rest_class:
            raise OptionError(
                f'rest={self.rest_class!r}, but by {NEGATIVE!r} its images are labelled for some classes only, so what '
                "is outside of their objects may be of a class that nobody looked for; leave it out, or take 'ignore'"
            )
        annotated: dict[Id, set[Id]] = {}
        for image_id, category, _ in drawn:
            annotated.setdefault(image_id, set()).add(category)
        names = {category['id']: category['name'] for category in content['categories']}
        searched = read_searched(content['images'], annotated, names, label_of)
        self._metainfo[FEDERATED] = True
        mean = sum(len(own['labels']) for own in searched.values()) / len(searched)
        print_log(
            f'{self.ann_file}: labelled for {mean:.1f} of {self.space.num_classes} classes an image on average '
            f'({NEGATIVE} and annotations); of the others nothing is learned or scored there',
            'current',
        )
        return searched

    def _warn_of_crowds(self, crowds: list[bool]) -> None:
        if sum(crowds) > _MANY_CROWDS * len(crowds):
            print_log(
                f'{self.ann_file}: {sum(crowds)} of {len(crowds)} annotations are crowds (iscrowd), which are neither '
                'trained nor scored; some tools write it where they mean a run-length code. Where they are objects, '
                'crowds=False in this dataset says so',
                'current',
                logging.WARNING,
            )


def _image_file(image: Mapping[str, Any]) -> str:
    """The file of an image; LVIS names its address instead, whose last two parts are folder and file."""
    if 'file_name' not in image and isinstance(address := image.get('coco_url'), str):
        image = dict(file_name='/'.join(address.split('/')[-2:]))
    return file_of(image)


def _side(image: Mapping[str, Any], key: str) -> int:
    value = value_of(image, key)
    if not isinstance(value, int) or value < 1:
        raise DataError(f'{key!r} is {written(value)}; it must be a number of pixels')
    return value
