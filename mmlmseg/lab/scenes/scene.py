"""Drawing a whole scene, and reading its truth in any label space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import Canvas
from .layout import draw_ground, draw_sky, draw_things
from .spaces import IGNORE, SceneSpace, scene_space


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
        keys = np.where(labels == IGNORE, -1, labels * (1 << 16) + groups)
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
