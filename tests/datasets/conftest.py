"""Small folder datasets on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """A factory of folder datasets: random images, random labels within the space."""

    def make(
        name: str = 'street',
        classes: Sequence[str] = ('road', 'sky', 'car'),
        train: int = 4,
        val: int = 2,
        size: tuple[int, int] = (24, 32),
        **keys: Any,
    ) -> Path:
        root = tmp_path / name
        for sub in ('images', 'labels'):
            (root / sub).mkdir(parents=True)
        random = np.random.default_rng(len(name))
        for split, number in (('train', train), ('val', val)):
            names = [f'{split}_{i}' for i in range(number)]
            (root / f'{split}.txt').write_text('\n'.join(names) + '\n')
            for sample in names:
                image = random.integers(0, 256, (*size, 3), dtype=np.uint8)
                labels = random.integers(0, len(classes), size, dtype=np.uint8)
                labels[0, 0] = 255
                cv2.imwrite(str(root / 'images' / f'{sample}.jpg'), image)
                cv2.imwrite(str(root / 'labels' / f'{sample}.png'), labels)
        (root / 'classes.json').write_text(json.dumps({'classes': list(classes), 'ignore': 255, **keys}))
        return root

    return make


MIXED_CATEGORIES = (
    dict(id=7, name='road', isthing=0),
    dict(id=30, name='car', isthing=1),
    dict(id=2, name='sky-other-merged', isthing=0),
    dict(id=9, name='person', isthing=1),
)


@pytest.fixture
def make_coco(tmp_path: Path) -> Callable[..., Path]:
    """A factory of panoptic sets in COCO's format: blocky random segments, some void, some of them crowds.

    Segment ids take all three bytes. By default stuff and things alternate, and ids and names are in no order.
    """

    def make(
        name: str = 'coco',
        categories: Sequence[dict[str, Any]] = MIXED_CATEGORIES,
        images: int = 3,
        size: tuple[int, int] = (24, 32),
    ) -> Path:
        root = tmp_path / name
        for sub in ('images', 'panoptic'):
            (root / sub).mkdir(parents=True)
        random = np.random.default_rng(len(name))
        content: dict[str, list] = dict(images=[], annotations=[], categories=list(categories))
        for i in range(images):
            ids = np.unique(random.integers(1, 256**3, 12))
            cells = random.choice([0, *ids], (size[0] // 4, size[1] // 4)).repeat(4, 0).repeat(4, 1)
            segments = []
            for segment in np.unique(cells[cells > 0]).tolist():
                category = categories[random.integers(len(categories))]
                crowd = int(category['isthing'] and random.random() < 0.3)
                segments.append(dict(id=segment, category_id=category['id'], iscrowd=crowd))
            random.shuffle(segments)
            image = random.integers(0, 256, (*size, 3), dtype=np.uint8)
            cv2.imwrite(str(root / 'images' / f'{i}.jpg'), image)
            cv2.imwrite(str(root / 'panoptic' / f'{i}.png'), np.stack([cells >> 16, cells >> 8 & 255, cells & 255], -1))
            content['images'].append(dict(id=100 + i, file_name=f'{i}.jpg'))
            content['annotations'].append(dict(image_id=100 + i, file_name=f'{i}.png', segments_info=segments))
        content['annotations'].reverse()
        (root / 'panoptic.json').write_text(json.dumps(content))
        return root

    return make


@pytest.fixture
def pipeline() -> list[dict[str, Any]]:
    """Load an image and its labels, pack both."""
    return [
        dict(type='LoadImageFromFile'),
        dict(type='mmseg.LoadAnnotations'),
        dict(type='mmseg.PackSegInputs'),
    ]


@pytest.fixture
def panoptic_pipeline() -> list[dict[str, Any]]:
    """Load an image, its labels and its segments, pack all."""
    return [
        dict(type='LoadImageFromFile'),
        dict(type='mmlmseg.LoadSegments'),
        dict(type='mmlmseg.PackSegments'),
    ]
