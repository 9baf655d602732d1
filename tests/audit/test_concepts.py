from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mmlmseg.audit.concepts import LEXICON, PART, Concepts, is_rest
from mmlmseg.label_space import LabelSpace
from mmlmseg.names import name_key

FILE = """
person, human:
  rider:
  ~hair:
chair:
  armchair:
wall:
  brick wall:
couch, sofa:
"""


@pytest.fixture
def concepts(tmp_path: Path) -> Concepts:
    (tmp_path / 'concepts.yml').write_text(FILE)
    return Concepts.from_yaml(tmp_path / 'concepts.yml')


@pytest.mark.parametrize(
    ('name', 'concept'),
    [
        ('Human', 'person'),
        ('chairs', 'chair'),
        ('wall-brick', 'brick wall'),
        ('wall-other-merged', 'wall'),
        ('left hair', 'hair'),
        ('arm chair', 'armchair'),
        ('settee, sofa', 'couch'),  # by a synonym
        ('swivel chair', 'swivel chair'),
        ('zebra', 'zebra'),
        ('background', None),
        ('others', None),
    ],
)
def test_names_find_their_concept(concepts: Concepts, name: str, concept: str | None) -> None:
    assert concepts.of(LabelSpace.create('s', [name])) == [concept]


def test_unknown_names_are_a_kind_of_their_last_words(concepts: Concepts) -> None:
    concepts.of(LabelSpace.create('s', ['red swivel chair', 'zebra']))
    assert [*concepts.above('red swivel chair')] == ['red swivel chair', 'chair']
    assert [*concepts.above('zebra')] == ['zebra']


def test_two_classes_of_a_space_never_share_a_concept(concepts: Concepts) -> None:
    first, second = concepts.of(LabelSpace.create('s', ['sofa', 'couch']))
    assert first == 'couch'
    assert second is not None
    assert [*concepts.above(second)] == [second, 'couch']


def test_parts_are_marked(concepts: Concepts) -> None:
    assert concepts.parts == {'hair'}


def test_the_shipped_lexicon_says_each_name_once() -> None:
    names: list[str] = []

    def walk(branch: dict) -> None:
        for key, below in branch.items():
            names.extend(name_key(name) for name in key.removeprefix(PART).split(','))
            walk(below or {})

    walk(yaml.safe_load(LEXICON.read_text(encoding='utf-8')))
    assert len(names) > 1000
    assert sorted(names) == sorted(set(names))


def test_what_is_left_over() -> None:
    assert is_rest('Background')
    assert not is_rest('back wall')
