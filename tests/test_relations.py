from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmlmseg.errors import LabelSpaceError, OptionError
from mmlmseg.label_space import LabelSpace
from mmlmseg.relations import NO_RELATIONS, Relations, resolve

FINE = LabelSpace.create('fine', ['building', 'wall', 'car', 'van', 'window'])
COARSE = LabelSpace.create('coarse', ['structure', 'vehicle'])
TOWN = LabelSpace.create('town', ['edifice', 'Building, house', 'automobile'])
SPACES = (FINE, COARSE, TOWN)
FILE = """
same:
- [fine:car, town:automobile]
inside:
- [fine:building, coarse:structure]
- ['fine:wall', 'coarse:structure']
- [town:automobile, coarse:vehicle]
part_of:
- [fine:window, town:edifice]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / 'relations.yml'
    path.write_text(FILE)
    return path


def named(found: list[tuple[LabelSpace, int]]) -> list[str]:
    return [f'{space.name}:{space.classes[label]}' for space, label in found]


def test_a_file_is_read_and_written(file: Path) -> None:
    relations = Relations.from_config(str(file))
    assert relations.same == (('fine:car', 'town:automobile'),)
    assert relations.part_of == (('fine:window', 'town:edifice'),)
    assert Relations.from_config(relations.to_dict()) == relations
    assert Relations.from_config(None) == NO_RELATIONS == Relations.from_config({})
    assert not NO_RELATIONS
    assert NO_RELATIONS.to_dict() == {}


def test_a_class_holds_what_is_inside_also_through_others(file: Path) -> None:
    resolved = resolve(Relations.from_config(file), SPACES)
    structure, vehicle = map(named, resolved.finer(COARSE))
    assert structure == ['fine:building', 'fine:wall']
    assert vehicle == ['fine:car', 'town:automobile']  # the car is what an automobile is, which is a vehicle
    assert [named(own) for own in resolved.finer(FINE)] == [[], [], ['town:automobile'], [], []]


def test_a_name_that_the_space_has_itself_is_not_counted_twice() -> None:
    inside = [['fine:building', 'town:edifice'], ['fine:wall', 'town:edifice']]
    resolved = resolve(Relations.from_config(dict(inside=inside)), SPACES)
    assert named(resolved.finer(TOWN)[0]) == ['fine:wall']  # town has a "building" of its own
    twice = LabelSpace.create('again', ['wall'])
    inside += [['again:wall', 'town:edifice']]
    resolved = resolve(Relations.from_config(dict(inside=inside)), (*SPACES, twice))
    assert named(resolved.finer(TOWN)[0]) == ['fine:wall']


def test_relations_among_asked_spaces_hold_through_others(file: Path) -> None:
    resolved = resolve(Relations.from_config(file), SPACES)
    free = LabelSpace.create('mine', ['sky'])
    same, nested = resolved.among([COARSE, free, FINE])
    assert np.array_equal(same, np.diag([True, True, False, True, True, True, True, True]))
    expected = np.zeros((8, 8), dtype=bool)
    expected[0, [3, 4]] = expected[1, 5] = True  # structure: building, wall; vehicle: car
    assert np.array_equal(nested, expected | expected.T)
    same, nested = resolved.among([TOWN, FINE])
    assert same[2, 3 + 2]
    assert nested[0, 3 + 4]


def test_relations_among_fewer_label_spaces(file: Path) -> None:
    relations = Relations.from_config(file).among(['fine', 'coarse'])
    assert relations == Relations(inside=(('fine:building', 'coarse:structure'), ('fine:wall', 'coarse:structure')))


@pytest.mark.parametrize(
    ('spec', 'words'),
    [
        (dict(inside=[['fine:bulding', 'coarse:structure']]), ["'fine:bulding'", 'Did you mean: fine:building']),
        (dict(same=[['fine:car', 'fine:van']]), ['relations.same', 'fine:van', 'of one label space']),
        (dict(same=[['fine:car', 'town:automobile'], ['fine:van', 'town:automobile']]), ['both', 'exclude each other']),
        (dict(inside=[['fine:car', 'coarse:structure'], ['fine:car', 'coarse:vehicle']]), ['in both coarse:structure']),
        (dict(inside=[['fine:car', 'coarse:vehicle'], ['coarse:vehicle', 'fine:car']]), ['circle', '"same"']),
        (
            dict(same=[['fine:car', 'town:automobile']], inside=[['fine:car', 'town:automobile']]),
            ['circle', 'fine:car, town:automobile'],
        ),
        (
            dict(same=[['fine:car', 'town:automobile']], part_of=[['fine:car', 'town:automobile']]),
            ['"same" and "part_of"'],
        ),
    ],
)
def test_contradictions_are_named(spec: dict, words: list[str]) -> None:
    with pytest.raises(LabelSpaceError) as error:
        resolve(Relations.from_config(spec), SPACES)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize(
    ('content', 'kind', 'words'),
    [
        ('inside: fine:building', LabelSpaceError, ['relations.inside is "fine:building"', 'list pairs']),
        ('inside: [[a:b]]', LabelSpaceError, ['relations.inside[0] is ["a:b"]', 'a pair is two classes']),
        ('inside: [[a:b, 3]]', LabelSpaceError, ['relations.inside[0]']),
        ('within: []', OptionError, ["unknown key 'within'", 'same, inside, part_of']),
        ('- a', LabelSpaceError, ['relations are ["a"]']),
        ('{', OptionError, ['no YAML']),
    ],
)
def test_what_a_file_must_look_like(tmp_path: Path, content: str, kind: type, words: list[str]) -> None:
    path = tmp_path / 'relations.yml'
    path.write_text(content)
    with pytest.raises(kind) as error:
        Relations.from_config(path)
    assert all(word in str(error.value) for word in [str(path), *words]), error.value


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match='none.yml: no such file'):
        Relations.from_config(tmp_path / 'none.yml')
