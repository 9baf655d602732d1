"""What files and configs say of classes, read strictly: a value of a wrong kind is refused, never made to fit.

Each function returns what :class:`~mmlmseg.label_space.LabelSpace` holds, or raises a :class:`LabelSpaceError` that
says which entry is wrong, and which form it should have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from numbers import Integral
from typing import Any

from .errors import LabelSpaceError, did_you_mean, written
from .names import name_key, normalise_name
from .palette import Colour


def is_list(value: Any) -> bool:
    """Whether something is a list, a tuple or an array; text and mappings are none."""
    return hasattr(value, '__len__') and hasattr(value, '__getitem__') and not isinstance(value, (str, bytes, Mapping))


def read_classes(classes: Any) -> tuple[str, ...]:
    """Class names without spaces around them, no two of which mean the same."""
    shown = _names('classes', classes)
    if not shown:
        raise LabelSpaceError('has no classes; list at least one name')
    seen: dict[str, str] = {}
    for name in shown:
        if (key := name_key(name)) in seen:
            raise LabelSpaceError(f'the classes {seen[key]!r} and {name!r} both mean {key!r}; rename one')
        seen[key] = name
    return shown


def read_things(things: Any, classes: Collection[str]) -> tuple[str, ...]:
    """The countable ones of some classes."""
    return _known('things', _names('things', things), classes)


def read_synonyms(synonyms: Any, classes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Of each class its other names, normalised: those in its name first, each once and none its main name."""
    if not isinstance(synonyms, Mapping):
        raise LabelSpaceError(f'synonyms are {written(synonyms)}; write {{"class": ["other name", ...], ...}}')
    more = {str(name).strip(): _names(f'synonyms of {name!r}', own) for name, own in synonyms.items()}
    _known('synonyms', tuple(more), classes)
    return tuple(
        tuple(dict.fromkeys(name for given in (c, *more.get(c, ())) for name in normalise_name(given)))[1:]
        for c in classes
    )


def read_definitions(definitions: Any, classes: Sequence[str]) -> tuple[str, ...]:
    """Of each class what it is, in one line; empty where nothing is said."""
    if not isinstance(definitions, Mapping):
        raise LabelSpaceError(f'definitions are {written(definitions)}; write {{"class": "what it is", ...}}')
    said = {str(name).strip(): text for name, text in definitions.items()}
    for name, text in said.items():
        if not isinstance(text, str) or not any(character.isalnum() for character in text):
            raise LabelSpaceError(f'the definition of {name!r} is {written(text)}; write what it is, or leave it out')
    _known('definitions', tuple(said), classes)
    return tuple(' '.join(said.get(c, '').split()) for c in classes)


def split_definitions(classes: str | Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Names and definitions of a class list as people type it.

    Args:
        classes: A list, whose entries may be ``name: definition``; or text, with ``;`` between the classes where it
            holds one, else a comma.

    Raises:
        LabelSpaceError: Where it is open whether a comma is part of a definition, or a definition lacks its name.

    Example:
        >>> split_definitions('person: a human being, on foot; sky')
        (['person', 'sky'], {'person': 'a human being, on foot'})
    """
    if isinstance(classes, str):
        if ':' in classes and ',' in classes and ';' not in classes:
            raise LabelSpaceError(
                f'the class list {written(classes)} holds definitions, so a comma may be part of one; write ; between '
                'its classes, or give a list'
            )
        classes = classes.split(';' if ';' in classes else ',')
    entries = [entry.strip() if isinstance(entry, str) else entry for entry in classes]
    names, definitions = [], {}
    for entry in entries:
        name, colon, definition = entry.partition(':') if isinstance(entry, str) else (entry, '', '')
        if colon:
            if not name.strip() or not definition.strip():
                raise LabelSpaceError(f'{written(entry)} is no class with its definition; write "name: what it is"')
            definitions[name.strip()] = definition
        if name:
            names.append(name.strip() if isinstance(name, str) else name)
    return names, definitions


def read_palette(palette: Any, count: int) -> tuple[Colour, ...]:
    """An RGB colour of each class."""
    if not is_list(palette):
        raise LabelSpaceError(f'the palette is {written(palette)}; list one colour [R, G, B] per class')
    if len(palette) != count:
        raise LabelSpaceError(f'{len(palette)} colours for {count} classes')
    return tuple(_colour(i, colour) for i, colour in enumerate(palette))


def _colour(place: int, colour: Any) -> Colour:
    if not is_list(colour) or len(colour) != 3 or not all(_is_byte(value) for value in colour):
        raise LabelSpaceError(f'colour {place} is {written(colour)}; a colour is three whole numbers from 0 to 255')
    red, green, blue = map(int, colour)
    return red, green, blue


def _is_byte(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and 0 <= int(value) <= 255


def _names(what: str, names: Any) -> tuple[str, ...]:
    if not is_list(names):
        raise LabelSpaceError(f'{what} must be a list of names, got {written(names)}')
    for place, name in enumerate(names):
        if not isinstance(name, str):
            raise LabelSpaceError(f'{what} must be a list of names (text), but entry {place} is {written(name)}')
    return tuple(name.strip() for name in names)


def _known(what: str, names: tuple[str, ...], classes: Collection[str]) -> tuple[str, ...]:
    """Names of classes, all of which must be there."""
    for name in names:
        if name not in classes:
            raise LabelSpaceError(f'{what} name the unknown class {name!r}.{did_you_mean(name, classes)}')
    return names
