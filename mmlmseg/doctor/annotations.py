"""The annotations of a COCO instance file one by one: which can be used, and what is wrong with the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ..datasets.coco_annotations import crowd_flag, id_of, value_of
from ..datasets.coco_federated import LISTS, NEGATIVE, faults_of_lists, is_federated
from ..datasets.coco_objects import check_segmentation
from ..errors import DataError, written

_SAME_BOX = 0.5  # IoU of the box that is written and that around the polygons


def usable_annotations(content: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[str]]:
    """Parts the annotations of a file in those that a dataset takes, and those that it refuses.

    Args:
        content: The lists of the file.

    Returns:
        The annotations that can be drawn, and of each other one its place in the list with what is wrong.
    """
    sizes = {
        image['id']: (image.get('height'), image.get('width'))
        for image in content['images']
        if isinstance(image, Mapping) and isinstance(image.get('id'), (int, str))
    }
    categories = {one.get('id') for one in content['categories'] if isinstance(one, Mapping)}
    kept: list[Mapping[str, Any]] = []
    faults: list[str] = []
    for place, annotation in enumerate(content['annotations']):
        try:
            _check(annotation, sizes, categories)
        except DataError as error:
            faults.append(f'annotations[{place}]: {error}')
        else:
            kept.append(annotation)
    contradicting = _contradicting_parts(kept)
    faults += [
        f'annotation {one["id"]!r} of image {one["image_id"]!r}: others of its id are of another image, category or '
        'crowd flag, so they are no parts of one object'
        for one in contradicting
    ]
    return [one for one in kept if not any(one is other for other in contradicting)], faults


def _contradicting_parts(annotations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of annotations that share an id in an image, and so would be one object but cannot be, all after the first."""
    by_id: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for one in annotations:
        if isinstance(one.get('id'), (int, str)):
            by_id[one['id']].append(one)
    return [
        one
        for own in by_id.values()
        if len(own) > len({part['image_id'] for part in own})
        and len({(part['image_id'], part['category_id'], crowd_flag(part)) for part in own}) > 1
        for one in own[1:]
    ]


def usable_lists(
    images: Sequence[Any], annotations: Sequence[Mapping[str, Any]], categories: Sequence[Any]
) -> tuple[list[Any], list[str]]:
    """Takes off the images of a federated file the lists of classes that a dataset refuses.

    Args:
        images: As the file has them.
        annotations: Those that can be drawn.
        categories: As the file has them.

    Returns:
        The images, and what is wrong with each list that was taken off.
    """
    if not is_federated(images):
        return list(images), []
    marked: dict[Any, set[Any]] = defaultdict(set)
    for one in annotations:
        marked[one['image_id']].add(one['category_id'])
    names = {one['id']: str(one.get('name')) for one in categories if isinstance(one, Mapping) and 'id' in one}
    usable, faults = [], []
    for place, image in enumerate(images):
        named = isinstance(image, Mapping) and isinstance(image.get('id'), (int, str))
        wrong = list(faults_of_lists(image, marked[image['id']], names)) if named else []
        faults += [f'images[{place}]: {one}' for one in wrong]
        usable.append({**{k: v for k, v in image.items() if k not in LISTS}, NEGATIVE: []} if wrong else image)
    return usable, faults


def odd_ids(annotations: Sequence[Mapping[str, Any]]) -> list[str]:
    """What COCO's own tools stumble over: an id twice, of which they know one annotation; and 0, which never counts.

    In one image, annotations of an id are parts of one object.
    """
    named = {(one['image_id'], one['id']) for one in annotations if isinstance(one.get('id'), (int, str))}
    ids = Counter(own for _, own in named)
    odd = [f'the id {one!r} stands in {number} images' for one, number in ids.items() if number > 1]
    return odd + (['the id 0 is that of "no match" to COCO\'s tools'] if 0 in ids else [])


def stray_boxes(annotations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Annotations whose box is not around their polygons: the two share less than half of their pixels."""
    found = []
    for place, one in enumerate(annotations):
        rings, box = one['segmentation'], one.get('bbox')
        if not isinstance(rings, list) or not isinstance(box, list) or len(box) != 4:
            continue
        if not all(isinstance(side, (int, float)) for side in box) or not box[2] * box[3] > 0:
            continue
        xs, ys = [x for ring in rings for x in ring[::2]], [y for ring in rings for y in ring[1::2]]
        around = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
        if _iou(around, box) < _SAME_BOX:
            said = written([round(side, 1) for side in box]), written([round(side, 1) for side in around])
            found.append(f'annotation {one.get("id", place)}: bbox is {said[0]}, the polygons are in {said[1]}')
    return found


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Of two boxes (x, y, width, height)."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / max(a[2] * a[3] + b[2] * b[3] - shared, 1e-9)


def _check(annotation: Any, sizes: Mapping[Any, tuple[Any, Any]], categories: set[Any]) -> None:
    if not isinstance(annotation, Mapping):
        raise DataError(f'{written(annotation)} is no object {{...}}')
    image, category = id_of(annotation, 'image_id'), id_of(annotation, 'category_id')
    if image not in sizes:
        raise DataError(f'image {image!r} is not listed')
    if category not in categories:
        raise DataError(f'its category_id {category!r} is no category of the file')
    check_segmentation(value_of(annotation, 'segmentation'), sizes[image])
    crowd_flag(annotation)
