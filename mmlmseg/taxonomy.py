"""A manual taxonomy: one list of classes that stands in for the label spaces of several datasets."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from .arguments import check_keys
from .errors import LabelSpaceError, did_you_mean
from .label_space import LabelSpace, LabelSpaces
from .names import name_key

SAME_NAMES = 'same-names'
UNLABELLED = ('', 'unlabeled', 'unlabelled')


@dataclass(frozen=True)
class Taxonomy:
    """Unified classes, and which of them each class of each label space is.

    A class that the taxonomy leaves out is not trained and never predicted.
    """

    classes: tuple[str, ...]
    columns: Mapping[str, tuple[int | None, ...]]  # by label space, of each of its classes; None where it is left out

    @classmethod
    def same_names(cls, spaces: Sequence[LabelSpace]) -> Taxonomy:
        """Unites classes of one normalised name and nothing else, as the paper's baseline does (section 4.2).

        Example:
            >>> a, b = LabelSpace.create('a', ['sky', 'tree']), LabelSpace.create('b', ['Tree-other', 'sea'])
            >>> Taxonomy.same_names([a, b])
            Taxonomy(classes=('sky', 'tree', 'sea'), columns={'a': (0, 1), 'b': (1, 2)})
        """
        names: dict[str, str] = {}
        for space in spaces:
            for name in space.names:
                names.setdefault(name_key(name), name)
        position = {key: i for i, key in enumerate(names)}
        columns = {space.name: tuple(position[name_key(name)] for name in space.names) for space in spaces}
        return cls(tuple(names.values()), columns)

    @classmethod
    def from_tsv(
        cls,
        file: str | Path,
        spaces: Sequence[LabelSpace],
        columns: Mapping[str, str] | None = None,
        unified: str = 'universal',
    ) -> Taxonomy:
        """Reads a mapping made by hand, in the format of MSeg's ``MSeg_master.tsv``.

        A tab-separated table with a header: one column of unified names, and one per label space with its class names,
        several as ``{a, b}``. A row whose unified name is empty or ``unlabeled`` leaves its classes out.

        Args:
            file: The table.
            spaces: The label spaces; each class must stand in the table exactly once.
            columns: The column of a label space, where it is not called as the space.
            unified: The column of the unified names.

        Raises:
            LabelSpaceError: Where the file, a column or a class is missing, or a class has two meanings.
        """
        header, rows = read_table(Path(file))
        known = [space.name for space in spaces]
        for name in columns or {}:
            if name not in known:
                raise LabelSpaceError(
                    f'{file}: columns name the label space {name!r}; there are {", ".join(known)}.'
                    f'{did_you_mean(name, known)}'
                )
        wanted = {space.name: (columns or {}).get(space.name, space.name) for space in spaces}
        for column in (unified, *wanted.values()):
            if column not in header:
                raise LabelSpaceError(
                    f'{file}: has no column {column!r}.{did_you_mean(column, header)} Columns: {", ".join(header)}'
                )
        classes: dict[str, int] = {}
        found: dict[str, dict[str, int | None]] = {space.name: {} for space in spaces}
        for row in rows:
            name = row[unified].strip()
            meant = [(space, member) for space, column in wanted.items() for member in read_members(row[column])]
            if not meant:
                continue
            left_out = name.lower() in UNLABELLED
            position = None if left_out else classes.setdefault(name, len(classes))
            for space_name, member in meant:
                key = name_key(member)
                if found[space_name].setdefault(key, position) != position:
                    raise LabelSpaceError(
                        f'{file}: class {member!r} of column {wanted[space_name]!r} stands in several rows; a class '
                        'can only become one unified class'
                    )
        return cls(
            tuple(classes),
            {space.name: _look_up(space, found[space.name], file, wanted[space.name]) for space in spaces},
        )

    @classmethod
    def from_config(cls, spec: str | Mapping[str, Any], spaces: LabelSpaces) -> Taxonomy:
        """Builds a taxonomy from what a config says.

        Args:
            spec: ``'same-names'``, or ``dict(file='taxonomy.tsv', ...)`` with the arguments of :meth:`from_tsv`.
            spaces: The label spaces of the model.
        """
        if spec == SAME_NAMES:
            return cls.same_names(spaces)
        if isinstance(spec, Mapping) and 'file' in spec:
            options = [key for key in signature(cls.from_tsv).parameters if key != 'spaces']
            check_keys(spec, options, 'a taxonomy of a file')
            return cls.from_tsv(spaces=spaces, **spec)
        raise LabelSpaceError(f"a taxonomy is {SAME_NAMES!r} or dict(file='taxonomy.tsv', ...); got {spec!r}")


def read_table(file: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns of a table, each once, and its rows by column."""
    if not file.is_file():
        raise LabelSpaceError(f'{file}: no such file; a manual taxonomy is read from a tab-separated table')
    try:
        with file.open(encoding='utf-8-sig', newline='') as lines:
            header, *rows = list(csv.reader(lines, delimiter='\t')) or [[]]
    except UnicodeDecodeError as error:
        raise LabelSpaceError(f'{file}: not UTF-8 text ({error}); save it as UTF-8') from None
    if twice := [column for i, column in enumerate(header) if column and column in header[:i]]:
        raise LabelSpaceError(f'{file}: has the column {twice[0]!r} twice; leave one')
    for place, row in enumerate(rows, 2):
        if any(cell.strip() for cell in row[len(header) :]):
            raise LabelSpaceError(f'{file}: row {place} has {len(row)} cells for {len(header)} columns')
    padded = [row + [''] * (len(header) - len(row)) for row in rows if row]
    return header, [dict(zip(header, row)) for row in padded]


def read_members(cell: str) -> list[str]:
    """The class names of a cell: one, or several as ``{a, b}``."""
    cell = cell.strip()
    names = cell[1:-1].split(',') if cell.startswith('{') and cell.endswith('}') else [cell]
    return [name.strip() for name in names if name.strip()]


def _look_up(
    space: LabelSpace, found: Mapping[str, int | None], file: str | Path, column: str
) -> tuple[int | None, ...]:
    missing = [name for name in space.names if name_key(name) not in found]
    if missing:
        raise LabelSpaceError(
            f'{file}: column {column!r} lacks {len(missing)} of the {space.num_classes} classes of label space '
            f'{space.name!r}: {", ".join(missing[:5])}.{did_you_mean(missing[0], found)} Give each a row; an empty '
            'unified name leaves it out'
        )
    return tuple(found[name_key(name)] for name in space.names)
