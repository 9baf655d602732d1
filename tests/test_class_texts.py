"""What a text encoder reads of a class."""

from __future__ import annotations

from typing import Any

import pytest

from mmlmseg.class_list import split_definitions
from mmlmseg.class_texts import Reading, readings
from mmlmseg.errors import LabelSpaceError, OptionError
from mmlmseg.label_space import LabelSpace

SPACE = LabelSpace.create(
    'street',
    ['Sky', 'car, auto', 'tree', 'bush'],
    synonyms={'car, auto': ['motor-car', 'tree'], 'tree': ['plant', 'Motor car'], 'bush': ['plant', 'shrub']},
    definitions={'bush': ' a plant,\n low and wide '},
)


def test_a_name_reads_one_class_only() -> None:
    # 'tree' is a class of its own; 'motor-car' and 'motor car', and the two plants, stand for two classes each.
    assert readings(SPACE) == [('sky',), ('car', 'auto'), ('tree',), ('bush', 'shrub')]


@pytest.mark.parametrize(
    ('reading', 'car', 'bush'),
    [
        (Reading(), 'car', 'bush'),
        (Reading('definition'), 'car', 'a plant, low and wide'),
        (Reading('both'), 'car', 'bush: a plant, low and wide'),
        (Reading(average_synonyms=True), ('car', 'auto'), ('bush', 'shrub')),
        (
            Reading('both', average_synonyms=True),
            ('car', 'auto'),
            ('bush: a plant, low and wide', 'shrub: a plant, low and wide'),
        ),
        (Reading('definition', average_synonyms=True), ('car', 'auto'), 'a plant, low and wide'),
        (Reading(templates={'street': 'a {name} in a street'}), 'a car in a street', 'a bush in a street'),
        (Reading(templates={'indoor': 'a {name} in a room'}), 'car', 'bush'),
    ],
)
def test_texts_of_classes(reading: Reading, car: Any, bush: Any) -> None:
    texts = reading.texts(SPACE)
    assert (texts[1], texts[3]) == (car, bush)
    assert reading.vocabulary([SPACE, SPACE]) == texts
    assert Reading(**reading.to_dict()) == reading


def test_two_classes_are_never_read_alike() -> None:
    same = LabelSpace.create('s', ['car', 'van'], definitions={'car': 'a vehicle', 'van': 'a  vehicle'})
    assert Reading('both').texts(same) == ('car: a vehicle', 'van: a vehicle')
    with pytest.raises(LabelSpaceError, match="'car' and 'van' are both read as 'a vehicle'"):
        Reading('definition').texts(same)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(read='names'), "text.read must be one of name, definition, both, got 'names'"),
        (dict(average_synonyms='yes'), 'text.average_synonyms must be true or false'),
        (dict(templates=['a {name}']), r'text.templates is \["a \{name\}"\]; write'),
        (dict(templates=dict(street='a photo')), "'street' has no place for the class name"),
    ],
)
def test_unusable_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Reading(**options)


def test_what_would_change_nothing_is_refused() -> None:
    plain = [LabelSpace.create('s', ['car', 'sky'])]
    with pytest.raises(LabelSpaceError, match='definitions shall be read'):
        Reading('both').check_use(plain)
    with pytest.raises(LabelSpaceError, match='synonyms shall be averaged'):
        Reading(average_synonyms=True).check_use(plain)
    with pytest.raises(LabelSpaceError, match="name the label space 'streat'.* Did you mean: street"):
        Reading(templates=dict(streat='a {name}')).check([SPACE])
    Reading('both', average_synonyms=True).check_use([*plain, SPACE])


@pytest.mark.parametrize(
    ('typed', 'names', 'definitions'),
    [
        ('sky, house,', ['sky', 'house'], {}),
        ('person: a human being, on foot; sky', ['person', 'sky'], {'person': 'a human being, on foot'}),
        ('person: a human being', ['person'], {'person': 'a human being'}),
        ('road, route; sky', ['road, route', 'sky'], {}),
        (['person: a human being, on foot', ' sky '], ['person', 'sky'], {'person': 'a human being, on foot'}),
    ],
)
def test_class_lists_as_typed(typed: Any, names: list[str], definitions: dict[str, str]) -> None:
    found, said = split_definitions(typed)
    assert found == names
    assert {name: text.strip() for name, text in said.items()} == definitions
    LabelSpace.create('custom', found, definitions=said)
