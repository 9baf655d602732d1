from __future__ import annotations

import numpy as np
import pytest

from mmlmseg.datasets.truth import (
    Numbered,
    check_aligned,
    distinct_values,
    follow_padding,
    segments_of_ids,
    segments_of_labels,
)
from mmlmseg.errors import DataError
from mmlmseg.label_space import LabelSpace

# Thing and stuff in turn, class 0 is stuff.
SPACE = LabelSpace.create('street', ['road', 'car', 'sky', 'person'], things=['car', 'person'])


def blocks(random: np.random.Generator, values: list[int], size: tuple[int, int] = (24, 32)) -> np.ndarray:
    return random.choice(values, (size[0] // 4, size[1] // 4)).repeat(4, 0).repeat(4, 1)


@pytest.mark.parametrize('seed', range(5))
def test_distinct_values_equal_numpys(seed: int) -> None:
    random = np.random.default_rng(seed)
    for values in (blocks(random, [0, 3, 70000, 9]), random.integers(0, 9, (5, 7)), np.zeros((3, 1), int)):
        values = values.astype(np.int32)
        distinct, places = distinct_values(values)
        wanted, inverse = np.unique(values, return_inverse=True)
        assert distinct.tolist() == wanted.tolist()
        assert places.tolist() == inverse.reshape(values.shape).tolist()


def assert_compact(segments: Numbered) -> None:
    numbers, labels, crowds = segments
    assert numbers.dtype == np.int32
    assert set(np.unique(numbers)) - {0} == set(range(1, len(labels) + 1))
    assert len(crowds) == len(labels)
    stuff = [label for label, crowd in zip(labels, crowds) if not SPACE.is_thing[label] and not crowd]
    assert len(set(stuff)) == len(stuff)
    assert {type(value) for value in labels} <= {int}
    assert {type(value) for value in crowds} <= {bool}


@pytest.mark.parametrize('seed', range(10))
def test_ids_against_brute_force(seed: int) -> None:
    random = np.random.default_rng(seed)
    ids = np.unique(random.integers(1, 256**3, 12))
    values = blocks(random, [0, *ids]).astype(np.int32)
    described = [
        (segment, int(label := random.integers(4)), bool(SPACE.is_thing[label] and random.random() < 0.4))
        for segment in random.permutation(np.unique(values[values > 0])).tolist()
    ]
    classes, (numbers, labels, crowds) = segments_of_ids(values, described, SPACE)
    assert_compact((numbers, labels, crowds))
    info = {segment: (label, crowd) for segment, label, crowd in described}
    same: dict[int, set] = {}
    for y, x in np.ndindex(values.shape):
        segment, number = int(values[y, x]), int(numbers[y, x])
        if segment == 0:
            assert (classes[y, x], number) == (255, 0)
            continue
        label, crowd = info[segment]
        assert classes[y, x] == label
        assert (labels[number - 1], crowds[number - 1]) == (label, crowd)
        same.setdefault(number, set()).add(segment if SPACE.is_thing[label] else 'stuff')
    assert all(len(sources) == 1 for sources in same.values())  # no two things share a number
    assert len(same) == len({segment if SPACE.is_thing[label] else -label for segment, label, _ in described})


def test_an_image_without_segments() -> None:
    classes, (numbers, labels, crowds) = segments_of_ids(np.zeros((2, 3), np.int32), [], SPACE)
    assert (classes == 255).all()
    assert numbers.tolist() == [[0] * 3] * 2
    assert labels == crowds == []
    assert segments_of_labels(classes, numbers, SPACE)[1] == []


def test_png_and_annotation_that_do_not_fit() -> None:
    ids = np.array([[5, 6, 0]], np.int32)
    with pytest.raises(DataError, match=r'PNG holds segment 6, which the annotation lacks; are PNG and'):
        segments_of_ids(ids, [(5, 0, False)], SPACE)
    with pytest.raises(DataError, match=r'PNG lacks segment 1, 2, 3, 4, 7 and 2 more, which the annotation names'):
        segments_of_ids(ids, [(i, 0, False) for i in range(1, 10)], SPACE)
    with pytest.raises(DataError, match=r'holds segment 5, which the annotation lacks; the PNG lacks segment 7, which'):
        segments_of_ids(ids, [(6, 0, False), (7, 0, False)], SPACE)


@pytest.mark.parametrize('seed', range(10))
def test_labels_against_brute_force(seed: int) -> None:
    random = np.random.default_rng(seed)
    instances = blocks(random, [0, 1, 2, 3, 700, 65535])
    class_of = {i: int(random.integers(4)) for i in np.unique(instances)}
    outside = blocks(random, [0, 1, 2, 3])
    classes = np.where(instances > 0, np.vectorize(class_of.get)(instances), outside).astype(np.uint8)
    classes[random.random(classes.shape) < 0.1] = 255
    numbers, labels, crowds = segments_of_labels(classes, instances.astype(np.int32), SPACE)
    assert_compact((numbers, labels, crowds))
    assert not any(crowds)
    number_of: dict[tuple[int, int], int] = {}
    for y, x in np.ndindex(classes.shape):
        instance, label, number = int(instances[y, x]), int(classes[y, x]), int(numbers[y, x])
        is_void = label == 255 or (instance == 0 and SPACE.is_thing[label])
        assert (number == 0) == is_void
        if not is_void:
            assert labels[number - 1] == label
            key = (label, instance if SPACE.is_thing[label] else 0)
            assert number_of.setdefault(key, number) == number
    assert len(set(number_of.values())) == len(number_of) == len(labels)


def test_labels_without_instances() -> None:
    stuff = LabelSpace.create('facade', ['wall', 'window'])
    numbers, labels, _ = segments_of_labels(np.array([[1, 0, 255, 1]], np.uint8), None, stuff)
    assert (numbers.tolist(), labels) == ([[2, 1, 0, 2]], [0, 1])
    with pytest.raises(DataError, match=r"no instances/ folder to tell the things of 'street' apart \(car, person\)"):
        segments_of_labels(np.zeros((1, 4), np.uint8), None, SPACE)


def test_bad_instances() -> None:
    classes = np.array([[1, 1, 3, 255]], np.uint8)
    with pytest.raises(DataError, match=r"segment 8 lies on two classes, 'car' and 'person'"):
        segments_of_labels(classes, np.array([[8, 0, 8, 8]]), SPACE)
    assert segments_of_labels(classes, np.array([[8, 0, 9, 8]]), SPACE)[0].tolist() == [[1, 0, 2, 0]]
    with pytest.raises(DataError, match=r'instances 2x2 and labels 1x4 differ in size'):
        segments_of_labels(classes, np.zeros((2, 2), np.int32), SPACE)


def test_padding_of_the_labels_is_followed() -> None:
    ids = np.array([[1, 2], [3, 0]])
    classes = np.array([[7, 8, 255], [9, 255, 255], [255] * 3])
    assert follow_padding(ids, classes).tolist() == [[1, 2, 0], [3, 0, 0], [0] * 3]
    assert follow_padding(ids, classes[:2, :2]).tolist() == ids.tolist()
    for other in (classes[:1], classes[:, :1], classes[:, ::-1], np.zeros((3, 3), int)):
        with pytest.raises(DataError, match=r'and segments 2x2 differ in size'):
            follow_padding(ids, other)


def test_alignment() -> None:
    classes = np.array([[2, 2, 255, 0]])
    check_aligned(np.array([[1, 1, 0, 2]]), [2, 0], classes)
    check_aligned(np.array([[1, 0, 0, 0]]), [2, 0], classes)  # a thing outside every instance
    check_aligned(np.zeros((1, 4), int), [], classes)
    with pytest.raises(DataError, match='row 0, column 1, segment 2 is of class 0, but the label is 2: a transform'):
        check_aligned(np.array([[1, 2, 0, 2]]), [2, 0], classes)
    with pytest.raises(DataError, match='column 3, segment 255 is none of 2, but'):
        check_aligned(np.array([[1, 1, 0, 255]]), [2, 0], classes)
