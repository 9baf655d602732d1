"""Tables of united classes."""

from __future__ import annotations

from pathlib import Path

from refusals import Refusals

from mmlmseg.errors import LabelSpaceError, OptionError
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.taxonomy import Taxonomy

REFUSALS = Refusals()
SPACES = LabelSpaces([LabelSpace.create('a', ['sky', 'tree']), LabelSpace.create('b', ['sky'])])


def read(folder: Path, table: str | bytes, **options: object) -> None:
    (folder / 'table.tsv').write_bytes(table if isinstance(table, bytes) else table.encode())
    Taxonomy.from_config(dict(file=str(folder / 'table.tsv'), **options), SPACES)


@REFUSALS.by(LabelSpaceError, 'table.tsv: has no column', 'universal')
def commas_in_the_place_of_tabs(folder: Path) -> None:
    read(folder, 'universal,a,b\nsky,sky,sky\ntree,tree,\n')


@REFUSALS.by(LabelSpaceError, "table.tsv: has the column 'a' twice")
def a_column_twice(folder: Path) -> None:
    read(folder, 'universal\ta\tb\ta\nsky\tsky\tsky\ttree\n')


@REFUSALS.by(LabelSpaceError, 'table.tsv: row 3 has 4 cells for 3 columns')
def a_row_that_is_too_long(folder: Path) -> None:
    read(folder, 'universal\ta\tb\nsky\tsky\tsky\ntree\ttree\t\tbush\n')


@REFUSALS.by(LabelSpaceError, 'table.tsv: not UTF-8')
def another_encoding(folder: Path) -> None:
    read(folder, 'universal\ta\tb\nHimmel für\tsky\tsky\n'.encode('latin-1'))


@REFUSALS.by(LabelSpaceError, 'table.tsv', 'lacks 1 of the 2 classes', 'tree')
def a_class_without_a_row(folder: Path) -> None:
    read(folder, 'universal\ta\tb\nsky\tsky\tsky\n')


@REFUSALS.by(LabelSpaceError, "columns name the label space 'c'", 'there are a, b')
def a_column_for_an_unknown_space(folder: Path) -> None:
    read(folder, 'universal\ta\tb\nsky\tsky\tsky\ntree\ttree\t\n', columns={'c': 'a'})


@REFUSALS.by(OptionError, "unknown key 'unify'", 'Did you mean: unified?')
def a_misspelt_option(folder: Path) -> None:
    read(folder, 'universal\ta\tb\nsky\tsky\tsky\n', unify='universal')
