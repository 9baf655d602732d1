"""Files that annotation tools wrote, and their conversion."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mmlmseg.datasets.coco_objects import mask_of


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """A copy of what a tool wrote, see ``files/README.md``."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(Path(__file__).parent / 'files' / name, tmp_path / name))

    return copy


@pytest.fixture
def convert(load_script: Callable[[Path], ModuleType]) -> Callable[..., int]:
    """Runs a converter by its name."""

    def run(name: str, *arguments: object) -> int:
        tools = Path(__file__).parents[2] / 'tools' / 'dataset_converters'
        return load_script(tools / f'{name}.py').main([str(argument) for argument in arguments])

    return run


class Objects(list[tuple[str, np.ndarray]]):
    """Class and mask of each object of an image, in the order of the file."""

    def __init__(self, path: Path, file_name: str) -> None:
        content: dict[str, Any] = json.loads(path.read_text())
        self.categories = [category['name'] for category in content['categories']]
        image = next(image for image in content['images'] if image['file_name'] == file_name)
        self.size = image['height'], image['width']
        self.annotations = [one for one in content['annotations'] if one['image_id'] == image['id']]
        names = {category['id']: category['name'] for category in content['categories']}
        super().__init__(
            (names[one['category_id']], mask_of(one['segmentation'], self.size))
            for one in self.annotations
            if not one['iscrowd']
        )


@pytest.fixture
def objects_of() -> type[Objects]:
    """Reads the objects of an image from an annotation file."""
    return Objects
