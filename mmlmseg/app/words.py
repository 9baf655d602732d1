"""Class names that a user types, and the nearest ones that the model can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..apis.inferencer import LMSegInferencer
from ..class_list import split_definitions
from ..errors import nearest
from ..names import normalise_name


@dataclass(frozen=True)
class UnknownName:
    """A class name that the model cannot read."""

    name: str
    near: tuple[str, ...]  # names that it can read, the nearest first


def unknown_names(inferencer: LMSegInferencer, classes: str) -> list[UnknownName]:
    """The names of a class list that the model cannot read; none where its encoder reads any text.

    Raises:
        LabelSpaceError: Where the list cannot be taken apart.
    """
    text: Any = getattr(getattr(inferencer.model, 'decode_head', None), 'text', None)
    if text is None:
        return []
    names, _ = split_definitions(classes)
    bank = getattr(text.encoder, 'bank', None)
    known = [] if bank is None else bank.names
    return [
        UnknownName(name, tuple(nearest(name.replace('-', ' '), known)))
        for name in names
        if normalise_name(name)[0] not in text.vocabulary and not text.encoder.can_read(name)
    ]


def replaced(classes: str, name: str, by: str) -> str:
    """The class list with another name in the place of one.

    Example:
        >>> replaced('sky, kar', 'kar', 'car')
        'sky, car'
    """
    separator = ';' if ';' in classes else ','
    parts = []
    for part in classes.split(separator):
        head, colon, definition = part.partition(':')
        parts.append(f'{head.replace(name, by)}{colon}{definition}' if head.strip() == name else part)
    return separator.join(parts)


def read_groups(text: str) -> tuple[tuple[str, ...], ...]:
    """Exclusive groups as people type them: ``;`` between groups, ``+`` between their members.

    Example:
        >>> read_groups('camvid11; ccp + msrc_v2:face')
        (('camvid11',), ('ccp', 'msrc_v2:face'))
    """
    groups = (tuple(name.strip() for name in group.split('+') if name.strip()) for group in text.split(';'))
    return tuple(group for group in groups if group)
