"""The demo's data: folders drawn on the spot, or those of the user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mmengine.registry import DefaultScope

from ...apis.inputs import read_image
from ...datasets import MultiDataset
from ...label_space import LabelSpace
from ..scenes import SceneSpace, draw_scene, scene_space, write_folder_dataset

TRAINED_SPACES = ('street', 'facade', 'wardrobe')
AT_ONCE = ('street', 'wardrobe')  # a person of the one is garments of the other
FREE_CLASSES = dict(sky='sky', house='house', tree='tree', lawn='grass', road='road', car='car', person='person')
"""A class list as a user might type it; behind each name the class of the space ``objects`` that it means."""

FREE_LIST = 'free list'
_FREE_LENGTH = 8  # classes of a free list over the user's folders


@dataclass(frozen=True)
class HeldOut:
    """A picture that no training saw."""

    name: str  # the title in the figure
    image: np.ndarray  # RGB, uint8 [H, W, 3]
    truth: dict[str, np.ndarray]  # label maps [H, W] by the name of their label space; spaces without truth are missing


@dataclass(frozen=True)
class DemoData:
    """What the demo trains on and what it asks for."""

    folders: tuple[Path, ...]  # folder datasets
    spaces: tuple[LabelSpace, ...]  # of each folder
    held_out: tuple[HeldOut, ...]  # pictures to show
    free: LabelSpace  # a free class list
    at_once: tuple[str, ...]  # the names of two spaces to ask for in one pass; none where there is one folder


def draw_data(
    root: str | Path,
    train: int,
    val: int,
    held_out: int,
    size: tuple[int, int] = (128, 160),
    seed: int = 0,
) -> DemoData:
    """Draws folders that share no picture, each labelled in one space, and held-out scenes with truth in all spaces.

    Args:
        root: Where the folders go.
        train: Training scenes of each folder.
        val: Validation scenes of each folder.
        held_out: Scenes to predict in every space.
        size: (height, width) of the scenes.
        seed: Series of scenes.
    """
    folders, first = [], 0
    for space in TRAINED_SPACES:
        split = range(first, first + train), range(first + train, first + train + val)
        folders.append(write_folder_dataset(Path(root) / space, space, *split, seed=seed, size=size))
        first += train + val
    spaces = [scene_space(space) for space in TRAINED_SPACES]
    objects = {c.name: c for c in scene_space('objects').classes}
    free = SceneSpace(FREE_LIST, tuple(replace(objects[known], name=name) for name, known in FREE_CLASSES.items()))
    shown = []
    for number in range(held_out):
        scene = draw_scene(seed, first + number, size)
        truth = {space.name: scene.label_map(space) for space in (*spaces, free)}
        shown.append(HeldOut(f'held-out scene {number + 1}', scene.image, truth))
    known = tuple(space.label_space() for space in spaces)
    return DemoData(tuple(folders), known, tuple(shown), free.label_space(), AT_ONCE)


def read_data(folders: Sequence[str | Path], held_out: int) -> DemoData:
    """Takes the user's folders; the pictures to show are spread over their validation lists, one folder after another.

    Args:
        folders: Folder datasets.
        held_out: Pictures to show, at least one of each folder.
    """
    paths = tuple(Path(folder).expanduser() for folder in folders)
    spaces = tuple(LabelSpace.from_json(path) for path in paths)
    shown: list[tuple[int, HeldOut]] = []
    for place, (path, space) in enumerate(zip(paths, spaces, strict=True)):
        samples = labelled(path, 'val')
        number = max(1, held_out // len(paths) + (place < held_out % len(paths)))
        for turn, index in enumerate(np.linspace(0, len(samples) - 1, number + 2)[1:-1].round().astype(int).tolist()):
            sample = samples[index]
            image = Path(sample['img_path'])
            truth = {space.name: sample['gt_seg_map']}
            shown.append((turn, HeldOut(f'{space.name}: {image.stem}', read_image(image)[..., ::-1], truth)))
    in_turn = sorted(shown, key=lambda entry: entry[0])
    at_once = tuple(space.name for space in spaces[:2]) if len(spaces) > 1 else ()
    free = _frequent_classes(paths, spaces)
    return DemoData(paths, spaces, tuple(picture for _, picture in in_turn), free, at_once)


def labelled(folder: Path, split: str) -> MultiDataset:
    """The samples of a split with their label maps as training reads and checks them, ``gt_seg_map``."""
    loading = [dict(type='LoadAnnotations')]
    dataset = dict(type='mmlmseg.FolderDataset', data_root=str(folder), split=split, pipeline=loading)
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MultiDataset([dataset])


def label_maps(folder: Path, split: str) -> Iterator[np.ndarray]:
    """The label map of each sample of a split, uint8 [H, W], with 255 for everything that is ignored."""
    samples = labelled(folder, split)
    return (samples[i]['gt_seg_map'] for i in range(len(samples)))


def _frequent_classes(folders: Sequence[Path], spaces: Sequence[LabelSpace]) -> LabelSpace:
    """A class list made of the most frequent classes of each folder's validation images, each name once."""
    chosen: dict[str, tuple[int, int, int]] = {}
    for folder, space in zip(folders, spaces, strict=True):
        counts = np.zeros(256, dtype=np.int64)
        for labels in label_maps(folder, 'val'):
            counts += np.bincount(labels.ravel(), minlength=256)
        frequent = [i for i in np.argsort(-counts[: space.num_classes]) if space.names[i] != 'background']
        for index in frequent[: -(-_FREE_LENGTH // len(spaces))]:
            chosen.setdefault(space.names[index], space.palette[index])
    return LabelSpace.create(FREE_LIST, list(chosen), palette=list(chosen.values()))
