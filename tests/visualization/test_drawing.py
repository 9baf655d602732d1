"""Pictures: colours, sizes, nothing clipped."""

from __future__ import annotations

import numpy as np
import pytest

from mmlmseg.visualization import Panel, class_shares, legend, overlay, overlay_segments, panel_grid

RED, BLUE = (255, 0, 0), (0, 0, 255)


def test_overlay_mixes_and_leaves_ignored_pixels() -> None:
    image = np.full((2, 2, 3), 100, np.uint8)
    seg = np.array([[0, 1], [255, 0]], np.uint8)
    drawn = overlay(image, seg, [RED, BLUE], alpha=0.5)
    assert drawn.dtype == np.uint8
    assert drawn[0, 0].tolist() == [178, 50, 50]
    assert drawn[0, 1].tolist() == [50, 50, 178]
    assert drawn[1, 0].tolist() == [100, 100, 100]
    assert overlay(image, seg, [RED, BLUE], alpha=1)[0, 0].tolist() == [255, 0, 0]
    with pytest.raises(ValueError, match=r'differ in size'):
        overlay(image, seg[:1], [RED])


def test_class_shares_are_sorted_and_skip_the_ignored() -> None:
    seg = np.array([[1, 1, 1], [0, 255, 255]])
    assert class_shares(seg, 3) == [(1, 0.75), (0, 0.25)]
    assert class_shares(np.full((2, 2), 255), 3) == []


@pytest.mark.parametrize('width', [60, 200, 900])
def test_legend_holds_every_entry_within_its_width(width: int) -> None:
    entries = [(f'a rather long class name {i}', (10 * i, 255 - 10 * i, 128)) for i in range(12)]
    picture = legend(entries, width)
    assert picture.shape[1] == width
    colours = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
    assert all(colour in colours for _, colour in entries)
    assert (picture[:, -1] == 255).all()
    assert (picture[-1] == 255).all()
    assert legend([], width).shape == (0, width, 3)


def test_grid_of_rows_of_different_length_and_size() -> None:
    dark = np.zeros((30, 40, 3), np.uint8)
    tall = np.zeros((80, 20, 3), np.uint8)
    grid = panel_grid([[Panel(dark, 'a'), Panel(dark, 'b', [('sky', BLUE)])], [Panel(tall)]], panel_width=100, gap=5)
    assert grid.shape[1] == 2 * 100 + 3 * 5
    assert (grid == 0).all(2).sum() == 2 * 75 * 100 + 400 * 100  # each image is there in full, with its aspect
    assert (grid.reshape(-1, 3) == BLUE).all(1).any()


def test_segments_of_a_class_differ_in_shade_and_have_borders() -> None:
    image = np.full((6, 9, 3), 100, np.uint8)
    segments = np.zeros((6, 9), np.int32)
    segments[2:, :3], segments[2:, 3:6], segments[2:, 6:] = 1, 2, 3  # the upper rows are void
    drawn = overlay_segments(image, segments, [0, 0, 1], [RED, BLUE], alpha=1)
    neighbours = np.pad(segments, ((0, 1), (0, 1)), mode='edge')
    border = (segments != neighbours[1:, :-1]) | (segments != neighbours[:-1, 1:])
    assert (drawn[border] == 255).all()
    inner = [{tuple(colour) for colour in drawn[(segments == i) & ~border].tolist()} for i in range(4)]
    assert all(len(colours) == 1 for colours in inner)
    void, first, second, other = (colours.pop() for colours in inner)
    assert (void, first, other) == ((100, 100, 100), RED, BLUE)
    assert second[0] == 255
    assert 0 < second[1] == second[2] < 255  # red, mixed with white
    assert overlay_segments(image, segments, [0, 0, 1], [RED, BLUE], alpha=0.5)[5, 0].tolist() == [178, 50, 50]


def test_segments_that_cannot_be_drawn() -> None:
    image = np.full((2, 2, 3), 100, np.uint8)
    assert (overlay_segments(image, np.zeros((2, 2), np.uint8), [], [RED]) == image).all()
    with pytest.raises(ValueError, match=r'holds segment 3, but only 2'):
        overlay_segments(image, np.full((2, 2), 3), [0, 0], [RED])
    with pytest.raises(ValueError, match=r'differ in size'):
        overlay_segments(image, np.ones((2, 3), int), [0], [RED])


def test_a_strip_does_not_make_a_tower() -> None:
    strip = Panel(np.zeros((4000, 1, 3), np.uint8), 'strip', [('wood', (9, 9, 9))])
    picture = panel_grid([[strip, strip]], panel_width=100)
    assert picture.shape[1] == 2 * 100 + 3 * 10
    assert 400 <= picture.shape[0] < 500
