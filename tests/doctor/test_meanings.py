from __future__ import annotations

from mmlmseg.doctor.meanings import findings_of_names
from mmlmseg.label_space import LabelSpace


def test_spaces_that_agree_or_have_nothing_in_common() -> None:
    a = LabelSpace.create('a', ['road', 'car'], things=['car'])
    b = LabelSpace.create('b', ['road', 'car', 'Tree-other'], things=['car'], synonyms={'car': ['automobile']})
    c = LabelSpace.create('c', ['car', 'sofa'])  # says nothing of things
    assert list(findings_of_names([('a', a), ('a2', a), ('b', b), ('c', c)])) == []


def test_one_name_of_two_label_spaces() -> None:
    first, second = LabelSpace.create('city', ['road', 'car']), LabelSpace.create('city', ['car', 'road'])
    (found,) = findings_of_names([('x (train)', first), ('y (train)', second), ('y (train)', second)])
    assert (found.code, found.severity) == ('label-space', 'error')
    assert 'in another order' in found.what
    (found,) = findings_of_names([('x', first), ('y', LabelSpace.create('city', ['road', 'bus']))])
    assert 'other classes (bus, car)' in found.what


def test_a_word_of_two_classes() -> None:
    space = LabelSpace.create('a', ['sofa', 'couch'], synonyms={'sofa': ['couch']})
    (found,) = findings_of_names([('a', space)])
    assert [case.what for case in found.cases] == ["'couch' names 'sofa' and 'couch'"]


def test_a_synonym_here_is_a_class_of_its_own_there() -> None:
    a = LabelSpace.create('a', ['sofa', 'couch'])
    b = LabelSpace.create('b', ['sofa', 'tree'], synonyms={'sofa': ['couch']})
    for pair in ([('a', a), ('b', b)], [('b', b), ('a', a)]):
        (found,) = findings_of_names(pair)
        assert found.code == 'two-meanings'
        assert "'couch' is a name of 'sofa' in 'b', but of 'couch' in 'a', which has 'sofa' beside it" in str(found)


def test_a_thing_here_and_stuff_there() -> None:
    a = LabelSpace.create('a', ['tree', 'car'], things=['car'])
    b = LabelSpace.create('b', ['tree', 'person'], things=['person', 'tree'])
    (found,) = findings_of_names([('a', a), ('b', b)])
    assert [case.what for case in found.cases] == ["'tree' is stuff in 'a' and a thing in 'b'"]
