"""Errors that tell their reader what is wrong, where, and what to do; and the reading of files that ends in them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class LabelSpaceError(ValueError):
    """A label space is ill-formed, unknown or clashes with another."""


class DataError(ValueError):
    """An image, a label map or a dataset description cannot be used."""


class TextBankError(ValueError):
    """A text bank lacks a name or does not fit the model."""


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read or does not fit the model."""


class OptionError(ValueError):
    """An option, of a command line, a config or a call, asks for what cannot be had."""


USER_ERRORS = (CheckpointError, DataError, LabelSpaceError, OptionError, TextBankError)
"""What a user can mend: the message says all, a traceback would only hide it."""


@contextmanager
def errors_of(file: str | Path) -> Iterator[None]:
    """Puts the name of a file before what is wrong with its content.

    Example:
        >>> with errors_of('a.json'):
        ...     raise DataError('holds nothing')
        Traceback (most recent call last):
        mmlmseg.errors.DataError: a.json: holds nothing
    """
    try:
        yield
    except (DataError, LabelSpaceError, OptionError) as error:
        raise type(error)(f'{file}: {error}') from None


def read_json(path: str | Path, error: type[ValueError], advice: str) -> Any:
    """What a JSON file holds; where it is missing (then with some advice) or damaged, an error of the given kind.

    Damaged is also an object that says a key twice, of which Python would take the last.
    """
    try:
        return json.loads(Path(path).read_text(encoding='utf-8-sig'), object_pairs_hook=_each_key_once)
    except FileNotFoundError:
        raise error(f'{path}: no such file; {advice}') from None
    except UnicodeDecodeError as fault:
        raise error(f'{path}: not UTF-8 text ({fault}); save it as UTF-8') from None
    except RecursionError:
        raise error(f'{path}: not valid JSON (its brackets nest too deep)') from None
    except ValueError as fault:  # of the decoder, of _each_key_once, of numbers with thousands of digits
        raise error(f'{path}: not valid JSON ({fault})') from None
    except OSError as fault:
        raise error(f'{path}: cannot be read ({fault.strerror}); {advice}') from None


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise ValueError(f'the key {twice!r} stands twice in one object')
    return made


def written(value: Any) -> str:
    """A value as JSON writes it, for messages; shortened.

    Example:
        >>> written(None), written(['road', True])
        ('null', '["road", true]')
    """
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else f'{text[:57]}...'


def first_of(items: Sequence[Any], n: int = 5) -> str:
    """The first few of a list, and whether there are more.

    Example:
        >>> first_of(['a', 'b', 'c'], 2)
        'a, b, ...'
    """
    return ', '.join(map(str, items[:n])) + (', ...' if len(items) > n else '')


def did_you_mean(name: str, known: Iterable[str], n: int = 3) -> str:
    """Names at most ``n`` known words near a misspelt one, after a leading space; an empty string where none is near.

    Example:
        >>> did_you_mean('camvid', ['camvid11', 'ade20k'])
        ' Did you mean: camvid11?'
    """
    near = nearest(name, known, n)
    return f' Did you mean: {", ".join(near)}?' if near else ''


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """At most ``n`` known words near a misspelt one, the nearest first."""
    by_lower = {word.lower(): word for word in known}
    return [by_lower[word] for word in difflib.get_close_matches(name.lower(), list(by_lower), n=n)]
