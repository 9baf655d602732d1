from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmlmseg.class_list import read_classes, read_palette, read_synonyms, read_things
from mmlmseg.errors import LabelSpaceError


def test_blanks_around_names_do_not_count() -> None:
    assert read_classes([' car ', 'sky']) == ('car', 'sky')
    assert read_things(('car ',), ['car', 'sky']) == ('car',)
    assert read_synonyms({' car': ['Auto ', 'auto']}, ['car', 'sky']) == (('auto',), ())


def test_arrays_are_lists() -> None:
    assert read_palette(np.array([[1, 2, 3]], np.uint8), 1) == ((1, 2, 3),)
    assert read_classes(np.array(['car', 'sky'])) == ('car', 'sky')


@pytest.mark.parametrize('names', [None, 5, 'car', {'car': 1}, {'car'}, ['car', None], [['car']], [float('nan')]])
def test_names_are_a_list_of_text(names: Any) -> None:
    with pytest.raises(LabelSpaceError, match='classes must be a list of names'):
        read_classes(names)
    with pytest.raises(LabelSpaceError, match='things must be a list of names'):
        read_things(names, ['car'])


@pytest.mark.parametrize(
    'colour', [[1, 2], [1, 2, 3, 4], [256, 0, 0], [-1, 0, 0], [0.5, 0, 0], [True, 0, 0], '#fff', 7]
)
def test_colours_are_three_bytes(colour: Any) -> None:
    with pytest.raises(LabelSpaceError, match='colour 1 is .* three whole numbers from 0 to 255'):
        read_palette([[0, 0, 0], colour], 2)
