"""Whole scenes: drawing them, reading their truth in any label space, and writing them as a folder dataset of one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...segments import IGNORE_INDEX
from .canvas import Canvas
from .layout import draw_ground, draw_sky, draw_things
from .spaces import SceneSpace, scene_space


@dataclass(frozen=True)
class Scene:
    """A drawn picture with its full truth.

    Attributes:
        image: uint8 [H, W, 3], RGB.
        parts: Index into ``PARTS`` of every pixel, uint8 [H, W].
        objects: Object id of every pixel (0 = none), uint16 [H, W].
        components: Component id of every pixel (0 = none), such as one window or one shirt, uint16 [H, W].
        object_names: Kind of object ``i + 1`` (``'car'``), for all that were drawn, hidden ones too.
    """

    image: np.ndarray
    parts: np.ndarray
    objects: np.ndarray
    components: np.ndarray
    object_names: tuple[str, ...]

    def label_map(self, space: str | SceneSpace) -> np.ndarray:
        """Class ids of a label space, 255 where the space has no name for the part: uint8 [H, W]."""
        return scene_space(space).lookup()[self.parts]

    def instances(self, space: str | SceneSpace) -> np.ndarray:
        """Segments of a label space: uint16 [H, W].

        Ids run from 1; 0 is unlabelled. Each segment lies within one class: stuff classes have one segment, the others
        one per object or component that can be seen.
        """
        space = scene_space(space)
        labels = self.label_map(space).astype(np.int64)
        groups = np.zeros_like(labels)
        for label, scene_class in enumerate(space.classes):
            if scene_class.instances is not None:
                members = self.objects if scene_class.instances == 'object' else self.components
                groups = np.where(labels == label, members, groups)
        keys = np.where(labels == IGNORE_INDEX, -1, labels * (1 << 16) + groups)
        found = np.unique(keys[keys >= 0])
        return np.where(keys >= 0, np.searchsorted(found, keys) + 1, 0).astype(np.uint16)


def draw_scene(seed: int, index: int, size: tuple[int, int] = (96, 128)) -> Scene:
    """Draw scene ``index`` of series ``seed``.

    Args:
        seed: Series of scenes.
        index: Number of the scene; equal numbers give equal scenes, whatever was drawn before.
        size: (height, width) in pixels.
    """
    rng = np.random.default_rng([seed, index])
    canvas = Canvas(rng, size, light=float(rng.choice([-1, 1]) * rng.uniform(0.3, 1.0)))
    horizon = rng.uniform(0.36, 0.5) * size[0]
    draw_sky(canvas, rng, horizon)
    site = draw_ground(canvas, rng, horizon)
    draw_things(canvas, rng, site)
    warm, bright = rng.uniform(-0.08, 0.08), rng.uniform(0.72, 1.12)
    tint = (bright * (1 + warm), bright, bright * (1 - warm))
    image, parts, objects, components = canvas.finish(rng, tint, noise=rng.uniform(2, 8))
    return Scene(image, parts, objects, components, tuple(canvas.object_names))


def scene_name(seed: int, index: int) -> str:
    """File stem of a scene."""
    return f'scene_{seed}_{index:05d}'


def write_folder_dataset(
    root: str | Path,
    space: str | SceneSpace,
    train: Iterable[int],
    val: Iterable[int],
    *,
    seed: int = 0,
    size: tuple[int, int] = (96, 128),
) -> Path:
    """Draw scenes and write them as a folder dataset: images, labels and segments of one label space.

    The folder holds ``images/NAME.jpg``, ``labels/NAME.png`` (class ids, 255 = unlabelled), ``instances/NAME.png``
    (segment ids from 1, 0 = unlabelled), ``classes.json``, ``train.txt`` and ``val.txt``.

    Args:
        root: Folder to write; made if missing.
        space: Label space the labels are in.
        train: Numbers of the training scenes.
        val: Numbers of the validation scenes.
        seed: Series of scenes.
        size: (height, width) in pixels.

    Returns:
        The folder.
    """
    root, space = Path(root), scene_space(space)
    for folder in ('images', 'labels', 'instances'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for split, indices in (('train', train), ('val', val)):
        names = []
        for index in indices:
            names.append(scene_name(seed, index))
            _write_scene(root, names[-1], draw_scene(seed, index, size), space)
        (root / f'{split}.txt').write_text('\n'.join(names) + '\n')
    known = space.label_space()
    described = {
        'name': known.name,
        'classes': known.classes,
        'ignore': IGNORE_INDEX,
        'things': known.things,
        'palette': known.palette,
        'note': f'drawn scenes, series {seed}',
    }
    (root / 'classes.json').write_text(json.dumps(described, indent=1) + '\n')
    return root


def _write_scene(root: Path, name: str, scene: Scene, space: SceneSpace) -> None:
    """Write one scene's picture, labels and segments."""
    segments = scene.instances(space)
    if segments.max() <= 255:
        segments = segments.astype(np.uint8)
    _write(root / 'images' / f'{name}.jpg', scene.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    _write(root / 'labels' / f'{name}.png', scene.label_map(space))
    _write(root / 'instances' / f'{name}.png', segments)


def _write(path: Path, array: np.ndarray, options: list[int] | None = None) -> None:
    if not cv2.imwrite(str(path), array, options or []):
        raise OSError(f'cannot write {path}')
