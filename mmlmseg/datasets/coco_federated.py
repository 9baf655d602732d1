"""Federated labels in annotation files: the lists of classes that LVIS and OpenImages keep of each image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from ..errors import DataError, written
from ..federated import SearchedClasses
from .coco_annotations import Id, id_of, read_each

NEGATIVE, PARTLY, POSITIVE = LISTS = ('neg_category_ids', 'not_exhaustive_category_ids', 'pos_category_ids')
"""The keys of an image: categories that are known to be absent, of which only some objects are marked, and that are
known to be there. The first one makes an image federated; the others may be left out."""

FREQUENCIES = ('r', 'c', 'f')
"""LVIS' groups of categories: rare ones are in 1 to 10 images of the training, common ones in up to 100."""


def is_federated(images: Sequence[Any]) -> bool:
    """Whether the images of a file are labelled for some classes only."""
    return any(isinstance(image, Mapping) and not image.keys().isdisjoint(LISTS) for image in images)


def read_searched(
    images: Sequence[Mapping[str, Any]],
    annotated: Mapping[Id, Set[Id]],
    names: Mapping[Id, str],
    label_of: Mapping[Id, int],
) -> dict[Id, SearchedClasses]:
    """Reads the lists of the images of a federated file.

    A category that is there but not marked (``pos_category_ids``, or ``not_exhaustive_category_ids`` without an
    annotation) is one that nobody looked for: there is no mask to learn from, and none to score against. lvis takes it
    so, too.

    Args:
        images: As the file has them.
        annotated: The categories that have an annotation, by the id of the image.
        names: Of all categories of the file, by their id.
        label_of: Labels by category id; a category that is no class of the label space has none.

    Returns:
        What was looked for, by the id of the image.

    Raises:
        DataError: Where a list is none, is missing in some images only, names an unknown category, or says otherwise
            than the annotations.
    """

    def read(image: Mapping[str, Any]) -> tuple[Id, SearchedClasses]:
        image_id = id_of(image, 'id')
        marked = annotated.get(image_id, frozenset())
        for fault in faults_of_lists(image, marked, names):
            raise DataError(fault)
        absent, partly = (
            {label_of[one] for one in image.get(key, ()) if one in label_of} for key in (NEGATIVE, PARTLY)
        )
        present = {label_of[one] for one in marked if one in label_of}
        return image_id, SearchedClasses(
            labels=tuple(sorted(present | absent)), not_exhaustive=tuple(sorted(present & partly))
        )

    return dict(read_each('images', images, read))


def faults_of_lists(image: Mapping[str, Any], marked: Set[Id], names: Mapping[Id, str]) -> Iterator[str]:
    """What is wrong with the lists of an image of a federated file.

    Args:
        image: As the file has it.
        marked: The categories that are annotated in it.
        names: Of all categories of the file, by their id.
    """
    if NEGATIVE not in image:
        yield (
            f'has no {NEGATIVE!r}, but this file is labelled for some classes an image only; write the ids of the '
            'categories that are known to be absent, [] for none. Images that were searched for all categories belong '
            'in a file without such lists'
        )
    usable: dict[str, set[Id]] = {}
    for key in LISTS:
        given = image.get(key, [])
        if not isinstance(given, list):
            yield f'{key!r} is {written(given)}; it must be a list of category ids'
        elif odd := [one for one in given if type(one) not in (int, str) or one not in names]:
            yield f'{key!r} names {written(odd[0])}, which is no category of the file; correct the id, or take it out'
        else:
            usable[key] = set(given)
    absent = usable.get(NEGATIVE, set())
    for there, so in (
        (marked, 'annotations mark some'),
        (usable.get(PARTLY, set()) - marked, f'{PARTLY!r} has it too, so some are there'),
        (usable.get(POSITIVE, set()) - marked, f'{POSITIVE!r} has it too'),
    ):
        for one in sorted(absent & there, key=str):
            yield (
                f'{NEGATIVE!r} says that there is no {names[one]!r} ({one}) in the image, but {so}; take it out of '
                f'{NEGATIVE!r}, or correct the other'
            )


def read_frequency(category: Mapping[str, Any]) -> str:
    """LVIS' ``frequency`` of a category, empty where the file does not tell it."""
    value = category.get('frequency')
    if isinstance(value, str) and value not in FREQUENCIES:
        raise DataError(f"'frequency' is {written(value)}; write r (rare), c (common) or f (frequent), or leave it out")
    return value if isinstance(value, str) else ''
