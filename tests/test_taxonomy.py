"""Taxonomies that unite label spaces: by name, and by a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmlmseg.errors import LabelSpaceError
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.taxonomy import Taxonomy

TABLE = """universal\tstreet\thouses
sky\tsky\t
building\tbuilding\t{wall, window}
plant\ttree\t
\troad\t
unlabeled\t\tbuilding
vehicle\tcar\t
never used\t\t
"""


def write(folder: Path, text: str) -> Path:
    file = folder / 'taxonomy.tsv'
    file.write_text(text)
    return file


def test_same_names_unite_and_nothing_else(spaces: list[LabelSpace]) -> None:
    taxonomy = Taxonomy.same_names(spaces)
    assert taxonomy.classes == ('sky', 'building', 'tree', 'road', 'car', 'wall', 'window')
    assert taxonomy.columns == {'street': (0, 1, 2, 3, 4), 'facade': (5, 6, 1)}


def test_names_are_compared_as_they_are_read() -> None:
    a = LabelSpace.create('a', ['Traffic-light', 'wall-other-merged'])
    b = LabelSpace.create('b', ['Wall', 'traffic light, signal'])
    assert Taxonomy.same_names([a, b]).columns == {'a': (0, 1), 'b': (1, 0)}


def test_a_table_merges_and_leaves_out(spaces: list[LabelSpace], tmp_path: Path) -> None:
    spec = dict(file=str(write(tmp_path, TABLE)), columns=dict(facade='houses'))
    taxonomy = Taxonomy.from_config(spec, LabelSpaces(spaces))
    assert taxonomy.classes == ('sky', 'building', 'plant', 'vehicle')
    assert taxonomy.columns == {'street': (0, 1, 2, None, 3), 'facade': (1, 1, None)}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (TABLE.replace('houses', 'huoses'), r"no column 'houses'.* Did you mean: huoses"),
        (TABLE.replace('universal', 'all'), r"no column 'universal'"),
        (TABLE.replace('{wall, window}', 'wall'), r"column 'houses' lacks 1 of the 3 classes .*: window"),
        (
            TABLE.replace('never used\t\t', 'never used\t\twall'),
            r"class 'wall' of column 'houses' stands in several rows",
        ),
    ],
)
def test_a_faulty_table_is_an_error(spaces: list[LabelSpace], tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LabelSpaceError, match=message):
        Taxonomy.from_tsv(write(tmp_path, text), spaces, dict(facade='houses'))


def test_other_specifications_are_errors(spaces: list[LabelSpace], tmp_path: Path) -> None:
    with pytest.raises(LabelSpaceError, match='a taxonomy is'):
        Taxonomy.from_config('synonyms', LabelSpaces(spaces))
    with pytest.raises(LabelSpaceError, match='no such file'):
        Taxonomy.from_config(dict(file=str(tmp_path / 'none.tsv')), LabelSpaces(spaces))


@pytest.mark.parametrize(
    ('dataset', 'column'), [('ADE20KDataset', 'ade20k-150'), ('CityscapesDataset', 'cityscapes-19')]
)
def test_msegs_own_table(shared_data: Path, dataset: str, column: str) -> None:
    space = LabelSpace.from_dataset(dataset)
    file = shared_data / 'mseg_taxonomy' / 'MSeg_master.tsv'
    taxonomy = Taxonomy.from_tsv(file, [space], {space.name: column})
    header, *rows = (line.split('\t') for line in file.read_text().splitlines())
    used = {row[header.index('universal')] for row in rows if row[header.index(column)].strip()} - {'unlabeled'}
    assert set(taxonomy.classes) == used
    assert len(taxonomy.columns[space.name]) == space.num_classes
    if dataset == 'ADE20KDataset':
        column_of = dict(zip(space.names, taxonomy.columns[space.name]))
        assert column_of['house'] == column_of['building'] == column_of['skyscraper']
