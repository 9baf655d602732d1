"""The full truth of drawn scenes is consistent in every label space, and what is written to disk is what was drawn."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmlmseg.errors import LabelSpaceError
from mmlmseg.lab.scenes import (
    PARTS,
    SCENE_SPACES,
    Scene,
    SceneSpace,
    draw_scene,
    scene_name,
    scene_space,
    write_folder_dataset,
)
from mmlmseg.segments import IGNORE_INDEX

SPACES = pytest.mark.parametrize('space', SCENE_SPACES.values(), ids=lambda space: space.name)


@pytest.fixture(scope='module')
def scenes() -> list[Scene]:
    """A dozen scenes."""
    return [draw_scene(3, index) for index in range(12)]


def test_a_scene_is_a_pure_function_of_seed_index_and_size() -> None:
    first, again = draw_scene(1, 7), draw_scene(1, 7)
    for name in ('image', 'parts', 'objects', 'components'):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.image, draw_scene(1, 8).image)
    assert not np.array_equal(first.image, draw_scene(2, 7).image)
    other = draw_scene(1, 7, size=(60, 100))
    assert other.image.shape == (60, 100, 3)
    assert other.image.dtype == np.uint8
    assert other.parts.shape == other.objects.shape == other.components.shape == (60, 100)


@SPACES
def test_a_space_says_exactly_what_its_classes_list(space: SceneSpace, scenes: list[Scene]) -> None:
    named = [part for scene_class in space.classes for part in scene_class.parts]
    assert len(named) == len(set(named))
    assert set(named) <= set(PARTS)
    for scene in scenes:
        labels = scene.label_map(space)
        assert labels.dtype == np.uint8
        for label, scene_class in enumerate(space.classes):
            expected = np.isin(scene.parts, [PARTS.index(part) for part in scene_class.parts])
            np.testing.assert_array_equal(labels == label, expected)
        assert set(np.unique(labels)) <= {*range(len(space.classes)), IGNORE_INDEX}


@SPACES
def test_segments_lie_within_classes_and_things_are_told_apart(space: SceneSpace, scenes: list[Scene]) -> None:
    for scene in scenes:
        labels, segments = scene.label_map(space), scene.instances(space)
        np.testing.assert_array_equal(segments == 0, labels == IGNORE_INDEX)
        ids = np.unique(segments[segments > 0])
        np.testing.assert_array_equal(ids, np.arange(1, len(ids) + 1))
        for segment in ids:
            inside = segments == segment
            (label,) = np.unique(labels[inside])
            scene_class = space.classes[label]
            if scene_class.instances is None:
                np.testing.assert_array_equal(inside, labels == label)
            else:
                members = scene.objects if scene_class.instances == 'object' else scene.components
                (member,) = np.unique(members[inside])
                assert member > 0
                np.testing.assert_array_equal(inside, (members == member) & (labels == label))


def test_parts_nest_in_objects_and_components_in_one_object(scenes: list[Scene]) -> None:
    kinds = {'house', 'tree', 'car', 'truck', 'person', 'dog'}
    objects = scene_space('objects')
    for scene in scenes:
        assert set(scene.object_names) <= kinds
        labels = scene.label_map(objects)
        for owner in np.unique(scene.objects[scene.objects > 0]):
            (label,) = np.unique(labels[scene.objects == owner])
            assert objects.classes[label].name == scene.object_names[owner - 1]
        for component in np.unique(scene.components[scene.components > 0]):
            assert len(np.unique(scene.objects[scene.components == component])) == 1


def test_scenes_hold_occlusion_and_several_instances() -> None:
    scenes = [draw_scene(5, index) for index in range(20)]
    hidden = sum(len(s.object_names) - len(np.unique(s.objects[s.objects > 0])) for s in scenes)
    people = [s.object_names.count('person') for s in scenes]
    assert hidden > 0  # some things are wholly behind others (or outside the picture)
    assert max(people) >= 3
    seen = {PARTS[part] for s in scenes for part in np.unique(s.parts)}
    assert seen == set(PARTS)


def test_the_spaces_clash(scenes: list[Scene]) -> None:
    street, facade = scene_space('street'), scene_space('facade')
    building = [[c.name for c in space.classes].index('building') for space in (street, facade)]
    larger = [np.sum(s.label_map(street) == building[0]) > np.sum(s.label_map(facade) == building[1]) for s in scenes]
    assert sum(larger) > len(scenes) / 2  # one name, two extents
    wardrobe = scene_space('wardrobe')
    assert wardrobe.classes[0].name == 'background'
    person = [c.name for c in street.classes].index('person')
    for scene in scenes:
        np.testing.assert_array_equal(scene.label_map(wardrobe) > 0, scene.label_map(street) == person)


@SPACES
def test_label_space_of_the_library(space: SceneSpace) -> None:
    known = space.label_space()
    assert known.name == space.name
    assert known.classes == tuple(c.name for c in space.classes)
    assert known.is_thing == tuple(c.instances is not None for c in space.classes)
    assert known.palette == tuple(c.colour for c in space.classes)


def test_unknown_space_suggests_the_nearest() -> None:
    with pytest.raises(LabelSpaceError, match='street'):
        scene_space('streets')


def test_folder_holds_what_was_drawn_in_one_space(tmp_path: Path) -> None:
    root = write_folder_dataset(tmp_path / 'facade', 'facade', train=range(3), val=[10], seed=4, size=(48, 64))
    assert (root / 'train.txt').read_text().split() == [scene_name(4, index) for index in range(3)]
    assert (root / 'val.txt').read_text().split() == [scene_name(4, 10)]
    described = json.loads((root / 'classes.json').read_text())
    assert described['name'] == 'facade'
    assert described['things'] == ['window', 'door']
    scene = draw_scene(4, 10, (48, 64))
    stem = scene_name(4, 10)
    labels = cv2.imread(str(root / 'labels' / f'{stem}.png'), cv2.IMREAD_UNCHANGED)
    segments = cv2.imread(str(root / 'instances' / f'{stem}.png'), cv2.IMREAD_UNCHANGED)
    image = cv2.imread(str(root / 'images' / f'{stem}.jpg'))[..., ::-1]
    np.testing.assert_array_equal(labels, scene.label_map('facade'))
    np.testing.assert_array_equal(segments, scene.instances('facade'))
    assert np.abs(image.astype(float) - scene.image).mean() < 12  # JPEG


def test_datasets_of_other_numbers_share_no_picture(tmp_path: Path) -> None:
    first = write_folder_dataset(tmp_path / 'a', 'street', train=range(3), val=[3], size=(48, 64))
    second = write_folder_dataset(tmp_path / 'b', 'facade', train=range(4, 7), val=[7], size=(48, 64))
    pictures = [[path.read_bytes() for path in sorted((root / 'images').iterdir())] for root in (first, second)]
    assert len(set(pictures[0] + pictures[1])) == 8
