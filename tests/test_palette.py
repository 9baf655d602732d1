"""Default colours: one for each name, in whatever space."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from mmseg.registry import DATASETS

from mmlmseg.label_space import LabelSpace
from mmlmseg.names import name_key
from mmlmseg.palette import default_palette


def nearest(palette: tuple[tuple[int, int, int], ...]) -> float:
    """The least difference of two colours, in CIELAB."""
    places = cv2.cvtColor(np.array([palette], np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    return float(apart[~np.eye(len(places), dtype=bool)].min())


def test_a_class_has_one_colour_in_every_space() -> None:
    street = LabelSpace.create('street', ['road', 'Traffic-light, signal', 'sky-other-merged'])
    coast = LabelSpace.create('coast', ['sky', 'sea', 'traffic_light', 'boat'])
    assert street.palette[2] == coast.palette[0]
    assert street.palette[1] == coast.palette[2]
    assert len({*street.palette, *coast.palette}) == 5
    assert LabelSpace.create('coast', ['sky', 'sea'], palette=[(1, 2, 3), (4, 5, 6)]).palette == ((1, 2, 3), (4, 5, 6))


def test_colours_do_not_change_with_version_or_machine() -> None:
    assert default_palette(['sky', 'road', 'person']) == ((91, 202, 244), (248, 35, 72), (176, 64, 177))


def test_the_order_of_the_classes_does_not_matter() -> None:
    names = [f'class {i}' for i in range(400)]  # enough that some meet the colours of others
    shuffled = np.random.default_rng(0).permutation(names).tolist()
    assert dict(zip(names, default_palette(names), strict=True)) == dict(
        zip(shuffled, default_palette(shuffled), strict=True)
    )


def test_colours_are_seen_apart_and_strong() -> None:
    for number in (2, 20, 150):
        palette = default_palette([f'class {i}' for i in range(number)])
        assert nearest(palette) > 2.3, 'what one can just see'
        assert all(max(colour) - min(colour) > 30 for colour in palette), 'no grey'
    assert nearest(default_palette([f'few {i}' for i in range(10)])) > 9
    palette = default_palette([f'class {i}' for i in range(1500)])
    assert len(set(palette)) == 1500
    assert default_palette([]) == ()


def test_public_spaces_share_the_colours_of_nearly_all_shared_classes() -> None:
    colours: dict[str, list[tuple[int, int, int]]] = {}
    for dataset in ('ADE20K', 'COCOStuff', 'Cityscapes', 'PascalContext', 'PascalVOC'):
        names = list({name_key(c): c for c in DATASETS.get(f'{dataset}Dataset').METAINFO['classes']}.values())
        palette = default_palette(names)
        assert nearest(palette) > 2.3
        for name, colour in zip(names, palette, strict=True):
            colours.setdefault(name_key(name), []).append(colour)
    shared = [found for found in colours.values() if len(found) > 1]
    assert len(shared) > 50
    assert sum(len(set(found)) == 1 for found in shared) > 0.9 * len(shared)


def test_thousands_of_classes_have_colours_of_their_own() -> None:
    """And those of a shorter list are what they always were."""
    names = [f'thing {number}' for number in range(5_000)]
    colours = default_palette(names)
    assert len(set(colours)) > 0.99 * len(names)
    assert hashlib.sha256(repr(default_palette(names[:700])).encode()).hexdigest()[:16] == 'd52c9324d13bb143'
