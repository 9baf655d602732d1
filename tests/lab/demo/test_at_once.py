"""One image in two label spaces: what overlaps, and which part of the image shows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmlmseg.apis.masks import Mask, MaskSegmentation
from mmlmseg.lab.demo.at_once import draw_at_once, overlaps
from mmlmseg.lab.figures.layers import Layer
from mmlmseg.label_space import LabelSpace

SPACES = (
    LabelSpace.create('street', ['sky', 'person'], palette=[(0, 0, 255), (255, 0, 0)]),
    LabelSpace.create('wardrobe', ['background', 'shirt', 'trousers'], palette=[(0, 0, 0), (0, 255, 0), (9, 99, 9)]),
)


def mask(rows: slice, columns: slice, *origins: tuple[str, int]) -> Mask:
    pixels = np.zeros((60, 80), bool)
    pixels[rows, columns] = True
    return Mask(pixels, origins, 0.9)


@pytest.fixture
def found() -> MaskSegmentation:
    """Sky above; a person at the lower right, whose shirt is 3/4 and whose trousers are 1/4 of it."""
    masks = (
        mask(slice(0, 30), slice(None), ('street', 0)),
        mask(slice(36, 56), slice(60, 70), ('street', 1)),
        mask(slice(0, 30), slice(None), ('wardrobe', 0)),
        mask(slice(36, 51), slice(60, 70), ('wardrobe', 1)),
        mask(slice(51, 56), slice(60, 70), ('wardrobe', 2)),
    )
    return MaskSegmentation(None, (60, 80), SPACES, masks)


def test_the_overlaps_say_what_a_class_is_in_the_other_space(found: MaskSegmentation) -> None:
    image = np.full((60, 80, 3), 100, np.uint8)
    whole, closer = draw_at_once(image, 'scene', found, width=400, text_size=12)
    assert [name for name, _ in whole.entries] == [
        'street:sky',
        'street:person',
        'wardrobe:background',
        'wardrobe:shirt',
        'wardrobe:trousers',
    ]
    assert [name for name, _ in closer.entries] == [
        'street:person = wardrobe:shirt 75% + trousers 25%',
        'street:sky = wardrobe:background 100%',
    ]
    assert closer.entries[0][1] == (255, 0, 0)
    assert whole.image.shape == closer.image.shape == (300, 400, 3)
    # The person is seen closer: its outline, 20 of 60 rows in the image, fills the height of the part but the margin.
    tall = [np.ptp(np.nonzero((panel.image == (255, 0, 0)).all(2))[0]) for panel in (whole, closer)]
    assert 95 <= tall[0] <= 105
    assert 235 <= tall[1] <= 265


def test_a_mask_that_both_spaces_have_is_all_of_itself() -> None:
    both = mask(slice(0, 30), slice(None), ('street', 0), ('wardrobe', 0))
    result = MaskSegmentation(None, (60, 80), SPACES, (both,))
    _, closer = draw_at_once(np.zeros((60, 80, 3), np.uint8), 'scene', result, width=200, text_size=12)
    assert [name for name, _ in closer.entries] == ['street:sky = wardrobe:background 100%']


def test_an_image_without_masks_is_shown_as_it_is() -> None:
    image = np.full((60, 80, 3), 100, np.uint8)
    for panel in draw_at_once(image, 'scene', MaskSegmentation(None, (60, 80), SPACES, ()), width=80, text_size=12):
        assert (panel.image == 100).all()
        assert not panel.entries


def test_small_and_absent_parts_are_not_named() -> None:
    above, below = np.zeros((10, 10), np.int32), np.zeros((10, 10), np.int32)
    above[:4], above[5:] = 1, 2
    below[0, :1], below[1, :3] = 1, 2  # of 40 pixels 1 and 3
    first, second = Layer(above, [1, 0], ['a', 'b'], []), Layer(below, [0, 2], ['x', 'y', 'z'], [])
    assert overlaps(first, second) == [(1, [(-1, 36 / 40), (2, 3 / 40)])]  # nothing below class 0


def test_what_no_mask_covers_is_said(found: MaskSegmentation) -> None:
    half = replace(found, masks=(*found.masks[:2], mask(slice(36, 40), slice(60, 70), ('wardrobe', 1))))
    _, closer = draw_at_once(np.zeros((60, 80, 3), np.uint8), 'scene', half, width=200, text_size=12)
    assert [name for name, _ in closer.entries] == ['street:person = wardrobe: no mask 80% + shirt 20%']
