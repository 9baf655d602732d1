"""Panoptic predictions as files in COCO's format, which the official scripts score.

``panoptic/NAME.png`` holds the segments of an image, ``panoptic.json`` beside the folder what they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ...segments import write_panoptic_png


def write_segments(
    folder: Path, img_path: str, image_id: int | str | None, segments: np.ndarray, categories: Sequence[int]
) -> dict[str, Any]:
    """Write the PNG of an image, named after it.

    Args:
        folder: Made where it is missing.
        img_path: The image.
        image_id: What the truth calls the image, by default the stem of its path.
        segments: Integers [H, W]: 0 is void, i the segment of category i - 1.
        categories: The category id of each segment.

    Returns:
        The image's entry under ``annotations``. Segments without pixels are left out: panopticapi refuses them.
    """
    stem = Path(img_path).stem
    folder.mkdir(parents=True, exist_ok=True)
    write_panoptic_png(folder / f'{stem}.png', segments)
    areas = np.bincount(segments.ravel(), minlength=len(categories) + 1)[1:].tolist()
    return dict(
        image_id=stem if image_id is None else image_id,
        file_name=f'{stem}.png',
        segments_info=[
            dict(id=segment, category_id=category, area=area, iscrowd=0)
            for segment, (category, area) in enumerate(zip(categories, areas, strict=True), start=1)
            if area
        ],
    )


def write_index(
    folder: Path, annotations: Mapping[str, Mapping[str, Any]], categories: Sequence[Mapping[str, Any]]
) -> None:
    """Write the json of a folder of PNGs beside it.

    Args:
        folder: The folder.
        annotations: The entry of each image by its path.
        categories: The categories, each with ``id``, ``name`` and ``isthing``.

    Raises:
        DataError: Two images of one file name or id; both are named.
    """
    for key in ('file_name', 'image_id'):
        first: dict[Any, str] = {}
        for img_path, annotation in annotations.items():
            other = first.setdefault(annotation[key], img_path)
            if other != img_path:
                raise DataError(
                    f'{folder}: {other} and {img_path} both have the {key} {annotation[key]!r} in the results; rename '
                    'one, or evaluate without out_dir'
                )
    content = dict(annotations=list(annotations.values()), categories=list(categories))
    folder.with_name(f'{folder.name}.json').write_text(json.dumps(content), encoding='utf-8')
