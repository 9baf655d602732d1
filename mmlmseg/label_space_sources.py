"""What files and datasets say of a label space, as arguments of ``LabelSpace.create``."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .class_list import is_list, read_classes, read_things
from .errors import LabelSpaceError, written

_KEYS_OF_A_FOLDER = ('ignore', 'ids', 'colours', 'image')
"""What a ``classes.json`` may say beside its label space: of the label maps, read by ``mmlmseg.FolderDataset``."""

_WORDS_OF_CONFIGS = {
    'thing_classes': 'things',
    'ignore_index': 'ignore',
    'label_space': 'name',
}


def completed(described: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """What is described of a space, with what a config says more; of things the two must not say different ones."""
    given = {key: value for key, value in given.items() if value is not None}
    if 'things' in given:
        classes = read_classes(described['classes'])
        own, asked = (read_things(names.get('things') or (), classes) for names in (described, given))
        if own and set(own) != set(asked):
            raise LabelSpaceError(
                f'its things are {", ".join(own)}, but the config says {", ".join(asked) or "none"}; leave them '
                'out of the config, or correct the file'
            )
    return {**described, **given}


def describe_file(content: Any, parameters: Sequence[str]) -> dict[str, Any]:
    """The arguments of ``LabelSpace.create``, by ``parameters`` of it, in a ``classes.json`` or a file of COCO's."""
    if not isinstance(content, Mapping) or not content.keys() & {'classes', 'categories'}:
        raise LabelSpaceError('needs the key "classes" with a list of class names')
    if 'classes' not in content:
        return describe_categories(content['categories'], _holds_objects(content.get('annotations')))
    known = [*parameters, *_KEYS_OF_A_FOLDER]
    for key in content:
        if key not in known and (meant := _meant_key(key, known)):  # others, such as "note", are the user's own
            raise LabelSpaceError(
                f'has the unknown key {key!r}; write {meant!r}, or call a key of your own less like it'
            )
    return {key: content[key] for key in known if content.get(key) is not None and key not in _KEYS_OF_A_FOLDER}


def _meant_key(key: str, known: Sequence[str]) -> str | None:
    """The key of a ``classes.json`` that another is misspelt from, or stands for in OpenMMLab's configs."""
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.8)
    return near[0] if near else _WORDS_OF_CONFIGS.get(key)


def describe_metainfo(metainfo: Mapping[str, Any], given: Collection[str] = ()) -> dict[str, Any]:
    """The arguments of ``LabelSpace.create`` in an OpenMMLab dataset's metainfo; see there for ``given``."""
    classes: Any = metainfo['classes']
    palette: Any = metainfo.get('palette')
    things = metainfo.get('thing_classes')
    synonyms = metainfo.get('synonyms') or {}
    definitions = metainfo.get('definitions') or {}
    if 'palette' not in given and (not is_list(palette) or len(palette) != len(classes)):
        palette = None
    if 'thing_classes' not in given:
        things = [name for name in things or () if name in classes]
    if 'synonyms' not in given:
        synonyms = {name: own for name, own in synonyms.items() if name in classes}
    if 'definitions' not in given:
        definitions = {name: own for name, own in definitions.items() if name in classes}
    return dict(classes=classes, synonyms=synonyms, things=things, palette=palette, definitions=definitions)


def _holds_objects(annotations: Any) -> bool:
    """Whether annotations are those of COCO's instance format: of objects, and not of images with their segments."""
    first = annotations[0] if is_list(annotations) and annotations else None
    return isinstance(first, Mapping) and 'category_id' in first and 'segments_info' not in first


def describe_categories(categories: Any, all_things: bool = False) -> dict[str, Any]:
    """The arguments of ``LabelSpace.create`` that COCO's categories stand for; their kind may go without saying."""
    if not is_list(categories):
        raise LabelSpaceError(f'"categories" is {written(categories)}; it must be a list')
    keys = ('id', 'name') if all_things else ('id', 'name', 'isthing')
    for place, category in enumerate(categories):
        if not isinstance(category, Mapping) or not all(key in category for key in keys):
            raise LabelSpaceError(
                f'categories[{place}]: the category {written(category)} needs {", ".join(keys)}; is this '
                f'{"an instance" if all_things else "a panoptic"} file?'
            )
        if category.get('isthing', 1) not in (0, 1):
            raise LabelSpaceError(
                f'categories[{place}]: "isthing" of {category["name"]!r} is {written(category["isthing"])}; write 1 '
                'for a thing, 0 for stuff'
            )
    names = read_classes([category['name'] for category in categories])
    return dict(
        classes=names,
        things=[name for name, category in zip(names, categories, strict=True) if category.get('isthing', 1)],
        synonyms={c['name'].strip(): c['synonyms'] for c in categories if c.get('synonyms') is not None},
        definitions={c['name'].strip(): c['def'] for c in categories if c.get('def')},  # LVIS has them
        palette=[c['color'] for c in categories] if all(c.get('color') is not None for c in categories) else None,
    )
