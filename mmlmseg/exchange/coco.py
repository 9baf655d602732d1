"""COCO's instance format, written: what annotation tools, and ``mmlmseg.InstanceDataset``, read."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..datasets.coco_objects import Size, code_of
from ..errors import DataError
from ..palette import Colour

Segmentation = list[list[float]] | dict[str, Any]
"""Polygons ``[[x, y, x, y, ...], ...]`` in pixels, or a run-length code ``dict(size=[H, W], counts=...)``."""


class CocoFile:
    """An annotation file that is filled image by image. Images, objects and categories are numbered from 1: in COCO's
    evaluation 0 marks what was not matched.

    Args:
        classes: Names of the categories, in their order.
        palette: A colour of each, or none.
    """

    def __init__(self, classes: Sequence[str], palette: Sequence[Colour] | None = None) -> None:
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.categories: list[dict[str, Any]] = [
            dict(
                id=number,
                name=name,
                supercategory='',
                **({} if palette is None else dict(color=[*palette[number - 1]])),
            )
            for number, name in enumerate(classes, 1)
        ]

    def add_image(self, file: str | Path, size: Size) -> None:
        """Adds an image, (H, W); the objects that are added next are of it."""
        self.images.append(
            dict(id=len(self.images) + 1, file_name=Path(file).as_posix(), height=int(size[0]), width=int(size[1]))
        )

    def add_object(
        self, label: int, segmentation: Segmentation, crowd: bool = False, score: float | None = None
    ) -> bool:
        """Adds an object of the last image, with its area and box as pycocotools measure them.

        Args:
            label: The place of its class in ``classes``.
            segmentation: What it covers.
            crowd: Whether that counts nowhere.
            score: Of a prediction.

        Returns:
            False where it covers no pixel, and was not added.
        """
        from pycocotools import mask as coco

        image = self.images[-1]
        code = code_of(segmentation, (image['height'], image['width']))
        area = int(coco.area(code))
        if not area:
            return False
        self.annotations.append(
            dict(
                id=len(self.annotations) + 1,
                image_id=image['id'],
                category_id=label + 1,
                segmentation=segmentation,
                area=area,
                bbox=[float(value) for value in coco.toBbox(code)],
                iscrowd=int(crowd),
                **({} if score is None else dict(score=round(float(score), 5))),
            )
        )
        return True

    def counts(self) -> list[tuple[str, int]]:
        """How many objects there are of each category, crowds left out."""
        found = Counter(one['category_id'] for one in self.annotations if not one['iscrowd'])
        return [(category['name'], found[category['id']]) for category in self.categories]

    def save(self, path: str | Path) -> None:
        """Writes the file, and its folder where there is none."""
        content = dict(images=self.images, annotations=self.annotations, categories=self.categories)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(content), encoding='utf-8')


def common_folder(files: Iterable[Path]) -> Path:
    """The folder that all of some files lie in, deep or not."""
    try:
        return Path(os.path.commonpath([os.path.abspath(file.parent) for file in files]))
    except ValueError as error:  # none, or on several drives of Windows
        raise DataError(f'the images lie in no common folder ({error})') from None
