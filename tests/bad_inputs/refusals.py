"""Bad inputs as a table: each row does one wrong thing and says which error, in which words, has to come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """One bad input and the error that it ends in."""

    name: str
    do: Callable[[Path], Any]  # takes an empty folder
    error: type[Exception]
    words: tuple[str, ...]  # each is in the message: where, which value, what to do


class Refusals(list[Refusal]):
    """The rows of one kind of bad input; ``REFUSALS`` of every ``bad_*.py`` beside this file is collected."""

    def by(self, error: type[Exception], *words: str) -> Callable[[Callable[[Path], Any]], Callable[[Path], Any]]:
        """Adds the decorated function, which is named by what is wrong, as a row.

        Example:
            >>> rows = Refusals()
            >>> @rows.by(ValueError, 'invalid literal', 'five')
            ... def a_word_for_a_number(folder):
            ...     int('five')
        """

        def add(do: Callable[[Path], Any]) -> Callable[[Path], Any]:
            self.append(Refusal(do.__name__, do, error, words))
            return do

        return add
