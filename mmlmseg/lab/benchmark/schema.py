"""From what a YAML file holds to dataclasses, with errors that name the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ...errors import OptionError, did_you_mean

T = TypeVar('T')

_CALLED = {bool: 'true or false', int: 'a whole number', str: 'text', Mapping: 'keys with values'}


def fill(kind: type[T], content: object, where: str, **given: object) -> T:
    """Makes a dataclass of keys and values.

    Args:
        kind: The dataclass. Its fields are of plain types, ``X | None``, tuples of one type, mappings, or dataclasses.
        content: What a file holds; its keys are the fields.
        where: What errors begin with: the file, and the key in it.
        **given: Fields that the file does not hold.

    Raises:
        OptionError: On a key that is unknown or missing, or a value of another type.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Box:
        ...     sides: tuple[int, ...]
        >>> fill(Box, {'side': [3]}, 'box.yml')
        Traceback (most recent call last):
        mmlmseg.errors.OptionError: box.yml: unknown key 'side'. Did you mean: sides?
    """
    if not isinstance(content, Mapping):
        raise _other(content, Mapping, where)
    hints = get_type_hints(kind)
    known = [f for f in fields(kind) if f.name not in given]  # type: ignore[arg-type]
    names = [f.name for f in known]
    for key in content:
        if key not in names:
            hint = did_you_mean(str(key), names) or f' Known: {", ".join(names)}'
            raise OptionError(f'{where}: unknown key {key!r}.{hint}')
    for f in known:
        if f.name not in content and f.default is MISSING and f.default_factory is MISSING:
            raise OptionError(f'{where}: lacks the key {f.name!r}')
    return kind(**given, **{key: _convert(value, hints[key], f'{where}: {key}') for key, value in content.items()})


def _convert(value: Any, hint: Any, where: str) -> Any:
    if isinstance(hint, UnionType):  # X | None
        return None if value is None else _convert(value, get_args(hint)[0], where)
    kind: Any = get_origin(hint) or hint
    if isinstance(kind, type) and is_dataclass(kind):
        return fill(kind, value, where)
    if kind is tuple:
        if not isinstance(value, list):
            raise OptionError(f'{where}: must be a list, got {value!r}')
        return tuple(_convert(item, get_args(hint)[0], f'{where}, entry {i}') for i, item in enumerate(value, 1))
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):  # a bool is an int
        raise _other(value, kind, where)
    return value


def _other(value: object, kind: type, where: str) -> OptionError:
    return OptionError(f'{where}: must be {_CALLED[kind]}, got {value!r}')
