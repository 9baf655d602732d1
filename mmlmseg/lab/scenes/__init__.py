"""Scenes drawn by the library itself, with the full truth in several clashing label spaces.

They are the data of the demo, of tests and of benchmarks.
"""

from __future__ import annotations

from .scene import Scene, draw_scene, scene_name, write_folder_dataset
from .spaces import PARTS, SCENE_SPACES, SceneClass, SceneSpace, scene_space

__all__ = [
    'PARTS',
    'SCENE_SPACES',
    'Scene',
    'SceneClass',
    'SceneSpace',
    'draw_scene',
    'scene_name',
    'scene_space',
    'write_folder_dataset',
]
