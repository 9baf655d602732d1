"""Errors that tell their reader what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class LabelSpaceError(ValueError):
    """A label space is ill-formed, unknown or clashes with another."""


class DataError(ValueError):
    """An image, a label map or a dataset description cannot be used."""


class TextBankError(ValueError):
    """A text bank lacks a name or does not fit the model."""


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read or does not fit the model."""


class OptionError(ValueError):
    """A command-line option asks for what cannot be had."""


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
    except (DataError, LabelSpaceError) as error:
        raise type(error)(f'{file}: {error}') from None


def did_you_mean(name: str, known: Iterable[str], n: int = 3) -> str:
    """Names the known words nearest to a misspelt one.

    Args:
        name: What the user wrote.
        known: What would have been right.
        n: At most this many suggestions.

    Returns:
        `` Did you mean: a, b?`` with a leading space, or an empty string where nothing is near.

    Example:
        >>> did_you_mean('camvid', ['camvid11', 'ade20k'])
        ' Did you mean: camvid11?'
    """
    by_lower = {word.lower(): word for word in known}
    near = [by_lower[word] for word in difflib.get_close_matches(name.lower(), list(by_lower), n=n)]
    return f' Did you mean: {", ".join(near)}?' if near else ''
