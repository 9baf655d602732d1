"""Two layers of masks over one image: what is outlined, what is filled, and where names stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmlmseg.lab.figures.layers import Layer, draw_layers
from mmlmseg.label_space import LabelSpace

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
IMAGE = np.full((60, 80, 3), 100, np.uint8)


@pytest.fixture
def layers() -> tuple[Layer, Layer]:
    """A red person outlined, in the lower half of which trousers are filled."""
    person, clothes = np.zeros((60, 80), np.int32), np.zeros((60, 80), np.int32)
    person[10:50, 20:60], clothes[30:50, 20:60] = 1, 1
    people = LabelSpace.create('a', ['sky', 'person'], palette=[GREEN, RED])
    return Layer(person, [1], people), Layer(clothes, [0], LabelSpace.create('b', ['trousers'], palette=[BLUE]))


def test_masks_of_both_are_seen_where_they_overlap(layers: tuple[Layer, Layer]) -> None:
    drawn = draw_layers(IMAGE, *layers, width=320)
    assert drawn.shape == (240, 320, 3)
    assert drawn[80, 160].tolist() == [100, 100, 100]  # inside of the outline, above the trousers
    tint = [40, 40, 193]
    assert drawn[160, 160].tolist() == tint
    red = (drawn == RED).all(2)
    assert red[160, 81], 'the outline runs over what is filled'
    assert red[60, 81]
    assert not red[:38].any() | red[:, :78].any(), 'and stays within its mask'
    assert drawn[160, 82].tolist() in (list(RED), [255, 255, 255])
    assert (drawn[20] == 100).all(), 'what neither holds is left as it is'


def test_names_point_at_their_classes_and_overlap_nothing(layers: tuple[Layer, Layer]) -> None:
    plain, named = (draw_layers(IMAGE, *layers, width=320, text_size=size) for size in (0, 12))
    changed = (plain != named).any(2)
    rows, columns = np.nonzero(changed)
    assert len(rows)
    assert 30 <= rows.min() < 60, 'the name of the outline is at its top'
    assert changed[140:180, 140:180].any(), 'that of an area inside of it'
    assert columns.max() < 320


def test_layers_without_masks(layers: tuple[Layer, Layer]) -> None:
    empty = [replace(layer, ids=np.zeros((60, 80), np.int32), labels=[]) for layer in layers]
    assert (draw_layers(IMAGE, *empty, width=80, text_size=12) == 100).all()
    assert (empty[0].class_map() == -1).all()
    gone = replace(layers[1], ids=empty[1].ids)  # a label without a pixel, as a crop may leave
    assert (draw_layers(IMAGE, empty[0], gone, width=80, text_size=12) == 100).all()


def test_outlines_separate_segments_of_one_class() -> None:
    segments = np.ones((60, 80), np.int32)
    segments[:, 40:] = 2
    cows, shirts = LabelSpace.create('a', ['cow'], palette=[RED]), LabelSpace.create('b', ['shirt'], palette=[BLUE])
    empty = Layer(np.zeros((60, 80), np.int32), [], shirts)
    drawn = draw_layers(IMAGE, Layer(segments, [0, 0], cows), empty, width=80)
    assert (drawn[30, 38:42] == RED).all(1).any()
    assert (drawn[30, 10:30] == 100).all()
