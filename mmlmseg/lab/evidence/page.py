"""A page whose words are written by hand and whose tables are made from results.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ...errors import OptionError, did_you_mean
from . import goals, models
from .comparisons import FILES, comparison

RESULTS = Path('docs/results')

TABLES: dict[str, Callable[[Path], str]] = dict(
    goals=goals.goals,
    renaming=models.renaming,
    synonyms=models.synonyms,
    lists=models.lists,
    list_trainings=models.list_trainings,
    cross_space=models.cross_space,
    trainings=models.trainings,
)
"""Tables by their names; any other name is that of a benchmark."""


def fill(page: str, results: Path = RESULTS) -> str:
    """The page with its tables made anew from what the folder ``results`` holds.

    Raises:
        OptionError: Where the page asks for a table that there is none of.
    """

    def anew(found: re.Match[str]) -> str:
        name = found[1]
        if name not in TABLES and not (FILES / f'{name}.yml').is_file():
            known = [*TABLES, *(path.stem for path in FILES.glob('*.yml'))]
            raise OptionError(f'there is no table {name!r}.{did_you_mean(name, known)}')
        made = TABLES[name](results) if name in TABLES else comparison(results, name)
        return f'<!-- table: {name} -->\n{made}\n<!-- end -->'

    return re.sub(r'<!-- table: (\S+) -->\n.*?<!-- end -->', anew, page, flags=re.DOTALL)
