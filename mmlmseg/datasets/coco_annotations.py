"""Annotation files in COCO's formats: their lists, read strictly, and their categories, matched by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from ..errors import DataError, LabelSpaceError, did_you_mean, read_json, written
from ..label_space import LabelSpace
from ..names import leads_outside, name_key

Id: TypeAlias = int | str
Read = TypeVar('Read')


def read_lists(path: str | Path, advice: str) -> dict[str, Any]:
    """Reads an annotation file with its lists ``images``, ``annotations`` and ``categories``; the advice says which.

    Of images whose labels are kept secret, as of a test server, there are no annotations: ``unlabelled`` is true then.
    """
    content: Any = read_json(path, DataError, advice)
    if isinstance(content, dict) and 'annotations' not in content:
        content |= dict(annotations=[], unlabelled=True)
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f"{path}: has no list {key!r}; it is no annotation file of COCO's formats")
    return content


def read_each(what: str, entries: Any, read: Callable[[Mapping[str, Any]], Read]) -> list[Read]:
    """Reads each entry of a list, which must be an object; errors name the entry.

    Example:
        >>> read_each('images', [{'id': 1}, None], lambda image: id_of(image, 'id'))
        Traceback (most recent call last):
        mmlmseg.errors.DataError: images[1] is null; it must be an object {...}
    """
    if not isinstance(entries, list):
        raise DataError(f'{what} is {written(entries)}; it must be a list')
    found: list[Read] = []
    try:
        for entry in entries:
            if not isinstance(entry, Mapping):
                break
            found.append(read(entry))
    except DataError as error:
        raise DataError(f'{what}[{len(found)}]: {error}') from None
    if len(found) < len(entries):
        raise DataError(f'{what}[{len(found)}] is {written(entries[len(found)])}; it must be an object {{...}}')
    return found


def value_of(entry: Mapping[str, Any], key: str) -> Any:
    """What an entry says under a key that it must have."""
    if key not in entry:
        raise DataError(f'{written(entry)} has no {key!r}')
    return entry[key]


def id_of(entry: Mapping[str, Any], key: str) -> Id:
    """An id: a whole number or a text."""
    value = value_of(entry, key)
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise DataError(f'{key!r} is {written(value)}; an id is a whole number or a text')
    return value


def file_of(entry: Mapping[str, Any]) -> str:
    """The ``file_name`` of an image or a map."""
    value = value_of(entry, 'file_name')
    if not isinstance(value, str) or not value:
        raise DataError(f"'file_name' is {written(value)}; it must be the name of a file")
    if leads_outside(value):
        raise DataError(f"'file_name' {value!r} leads out of the folder; give the name of a file below it")
    return value


def crowd_flag(entry: Mapping[str, Any]) -> bool:
    """``iscrowd``, false where it is not said."""
    value = entry.get('iscrowd', 0)
    if value not in (0, 1):
        raise DataError(f"'iscrowd' is {written(value)}; write 0 or 1")
    return bool(value)


def match_categories(
    categories: Sequence[Mapping[str, Any]], space: LabelSpace, used: set[Id] | None = None
) -> dict[Id, int]:
    """Finds the class of each category by name, never by place; each must have its counterpart, of the same kind.

    Names are equal where they normalise alike (:func:`name_key`); a category left over is the one class left over that
    shares a name or synonym with it. Where no category is a thing, the label space says which are: some tools write
    ``isthing: 0`` everywhere.

    Args:
        categories: As the file has them.
        space: The label space.
        used: Of an instance file, the categories that have objects: others may be missing in the label space, and what
            a thing is is the label space's to say.

    Returns:
        Labels by category id.
    """
    ids = read_each('categories', categories, lambda category: id_of(category, 'id'))
    if twice := [category_id for category_id, count in Counter(ids).items() if count > 1]:
        raise LabelSpaceError(f'several categories have the id {twice[0]}; give each its own')
    found = LabelSpace.from_categories(space.name, categories, all_things=used is not None)
    labels = _match_names(found, space)
    wanted = [used is None or category_id in used for category_id in ids]
    strangers = [name for name, label, needed in zip(found.classes, labels, wanted) if label is None and needed]
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
    if used is None and any(found.is_thing):
        _check_kinds(found, [label_of[category_id] for category_id in ids], space)
    return label_of


def _check_kinds(found: LabelSpace, labels: Sequence[int], space: LabelSpace) -> None:
    for name, is_thing, label in zip(found.classes, found.is_thing, labels, strict=True):
        if is_thing != space.is_thing[label]:
            kinds = ('a thing', 'stuff') if is_thing else ('stuff', 'a thing')
            raise LabelSpaceError(
                f'the category {name!r} is {kinds[0]} (isthing), but {kinds[1]} in the label space '
                f'{space.name!r}; correct the file, or thing_classes in the metainfo of the dataset'
            )


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
