"""Writing drawn scenes as a folder dataset that carries the labels of one space only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from .scene import Scene, draw_scene
from .spaces import IGNORE, SceneSpace, scene_space


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
    described = {
        'name': space.name,
        'classes': [c.name for c in space.classes],
        'ignore': IGNORE,
        'things': [c.name for c in space.classes if c.instances is not None],
        'palette': [list(c.colour) for c in space.classes],
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
