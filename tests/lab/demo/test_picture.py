"""One image in two label spaces: what overlaps, and which part of the image shows it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmlmseg.apis import MaskSegmentation
from mmlmseg.lab.demo.picture import draw_at_once, overlaps
from mmlmseg.lab.figures.layers import Layer
from mmlmseg.label_space import LabelSpace
from mmlmseg.segments import MaskSet

SPACES = (
    LabelSpace.create('street', ['sky', 'person'], palette=[(0, 0, 255), (255, 0, 0)]),
    LabelSpace.create('wardrobe', ['background', 'shirt', 'trousers'], palette=[(0, 0, 0), (0, 255, 0), (9, 99, 9)]),
)


def masks_of(*masks: tuple[slice, slice, tuple[int, ...]]) -> MaskSegmentation:
    """Masks by rows, columns and the classes that say them, counted through both spaces."""
    pixels = torch.zeros(len(masks), 60, 80, dtype=torch.bool)
    for mask, (rows, columns, _) in zip(pixels, masks, strict=True):
        mask[rows, columns] = True
    origins = [own for *_, own in masks]
    labels = torch.tensor([own[0] for own in origins], dtype=torch.long)
    return MaskSegmentation(
        None, SPACES, MaskSet(pixels, labels, scores=torch.full((len(masks),), 0.9), origins=origins)
    )


SKY = (slice(0, 30), slice(None), (0,))
PERSON = (slice(36, 56), slice(60, 70), (1,))


@pytest.fixture
def found() -> MaskSegmentation:
    """Sky above; a person at the lower right, whose shirt is 3/4 and whose trousers are 1/4 of it."""
    return masks_of(
        SKY,
        PERSON,
        (slice(0, 30), slice(None), (2,)),
        (slice(36, 51), slice(60, 70), (3,)),
        (slice(51, 56), slice(60, 70), (4,)),
    )


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
    result = masks_of((slice(0, 30), slice(None), (0, 2)))
    _, closer = draw_at_once(np.zeros((60, 80, 3), np.uint8), 'scene', result, width=200, text_size=12)
    assert [name for name, _ in closer.entries] == ['street:sky = wardrobe:background 100%']


def test_an_image_without_masks_is_shown_as_it_is() -> None:
    image = np.full((60, 80, 3), 100, np.uint8)
    for panel in draw_at_once(image, 'scene', masks_of(), width=80, text_size=12):
        assert (panel.image == 100).all()
        assert not panel.entries


def test_small_and_absent_parts_are_not_named() -> None:
    above, below = np.zeros((10, 10), np.int32), np.zeros((10, 10), np.int32)
    above[:4], above[5:] = 1, 2
    below[0, :1], below[1, :3] = 1, 2  # of 40 pixels 1 and 3
    first = Layer(above, [1, 0], LabelSpace.create('one', ['a', 'b']))
    second = Layer(below, [0, 2], LabelSpace.create('two', ['x', 'y', 'z']))
    assert overlaps(first, second) == [(1, [(-1, 36 / 40), (2, 3 / 40)])]  # nothing below class 0


def test_what_no_mask_covers_is_said() -> None:
    half = masks_of(SKY, PERSON, (slice(36, 40), slice(60, 70), (3,)))
    _, closer = draw_at_once(np.zeros((60, 80, 3), np.uint8), 'scene', half, width=200, text_size=12)
    assert [name for name, _ in closer.entries] == ['street:person = wardrobe: no mask 80% + shirt 20%']
