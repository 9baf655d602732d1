"""Names of classes and of label spaces: from how datasets write them to how they are read and told apart."""

from __future__ import annotations

import re
from typing import Any

from .errors import LabelSpaceError, written

_DATASET_SUFFIXES = re.compile(r'(-(stuff|other|merged))+$')


def normalise_name(name: str) -> tuple[str, ...]:
    """Turns a class name as a dataset writes it into the words a text encoder should read: a main name, then synonyms.

    Lower case, single spaces, no ``-stuff`` / ``-other`` / ``-merged`` suffix; synonyms are what follows a comma.

    Raises:
        LabelSpaceError: Where no letter or digit is left.

    Example:
        >>> normalise_name('Wall-other-merged'), normalise_name('road, route')
        (('wall',), ('road', 'route'))
    """
    parts = []
    for part in name.split(','):
        words = part.replace('_', ' ').replace(' - ', ' ').strip().lower()
        words = ' '.join(_DATASET_SUFFIXES.sub('', words).split())
        if words and words not in parts:
            parts.append(words)
    if not parts or not any(character.isalnum() for character in parts[0]):
        raise LabelSpaceError(f'the class name {name!r} holds no word; give every class a name')
    return tuple(parts)


def name_key(name: str) -> str:
    """What a class name is told apart by: its normalised main name, where a hyphen counts as a space.

    Example:
        >>> name_key('Traffic-light, signal')
        'traffic light'
    """
    return normalise_name(name)[0].replace('-', ' ')


def leads_outside(name: str) -> bool:
    """Whether the name of a file, as a list of somebody else's gives it, leads out of the folder it is looked for in.

    Example:
        >>> leads_outside('town/scene1'), leads_outside('../secret'), leads_outside('C:/secret')
        (False, True, True)
    """
    parts = name.replace('\\', '/').split('/')
    return '..' in parts or not parts[0] or ':' in parts[0]


def default_space_name(type_name: str) -> str:
    """The label-space name of a registered dataset type.

    Example:
        >>> default_space_name('mmseg.CityscapesDataset'), default_space_name('MapillaryDataset_v1')
        ('cityscapes', 'mapillary_v1')
        >>> default_space_name('mmlmseg.CityscapesPanopticDataset')
        'cityscapes_panoptic'
    """
    return type_name.rsplit('.', 1)[-1].replace('Dataset', '').replace('Panoptic', '_panoptic').lower().strip('_')


def check_name(name: Any) -> None:
    """Makes sure that a label space or a dataset is called such that scores and files can bear its name.

    Raises:
        LabelSpaceError: Where the name is none, or would lead to another folder.
    """
    if not isinstance(name, str) or not name.strip():
        raise LabelSpaceError(f'a label space needs a name, a text; got {written(name)}')
    if name in ('.', '..') or name != name.strip() or not name.isprintable() or set(name) & set('/\\'):
        raise LabelSpaceError(
            f'the name {name!r} cannot be part of the names of files and scores; take one without slashes, line breaks '
            'and blanks around it'
        )
