"""Small datasets that are written as people write them, to be spoilt in one way each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import SIZE, draw_photo, square
from PIL import Image

from mmlmseg.doctor import Examination, examine, sources_of


@pytest.fixture
def make_streets(tmp_path: Path) -> Callable[..., Path]:
    """A factory of folder datasets in which nothing is wrong."""

    def make(
        name: str = 'streets',
        classes: Sequence[str] = ('road', 'sky', 'car'),
        number: int = 6,
        seed: int = 0,
        **keys: Any,
    ) -> Path:
        root = tmp_path / name
        for folder in ('images', 'labels'):
            (root / folder).mkdir(parents=True)
        random = np.random.default_rng(seed)
        for i in range(number):
            draw_photo(100 * seed + i).save(root / 'images' / f'{i}.jpg', quality=95)
            cells = random.permutation(np.arange(12) % len(classes)).astype(np.uint8).reshape(3, 4)
            Image.fromarray(cells.repeat(16, 0).repeat(16, 1)).save(root / 'labels' / f'{i}.png')
        (root / 'train.txt').write_text('\n'.join(map(str, range(number - 2))))
        (root / 'val.txt').write_text(f'{number - 2}\n{number - 1}\n')
        (root / 'classes.json').write_text(json.dumps(dict(classes=list(classes), **keys)))
        return root

    return make


@pytest.fixture
def make_parts(tmp_path: Path) -> Callable[..., Path]:
    """A factory of a folder with an instance file; annotations are of the images 1 and 2."""

    def make(annotations: Sequence[dict[str, Any]] = (), name: str = 'parts') -> Path:
        root = tmp_path / name
        (root / 'images').mkdir(parents=True)
        sound = [
            dict(image_id=1, category_id=7, segmentation=square(4, 4, 20), iscrowd=0),
            dict(image_id=2, category_id=9, segmentation=square(9, 9, 20), iscrowd=0),
        ]
        for i in (1, 2):
            draw_photo(i).save(root / 'images' / f'{i}.jpg', quality=95)
        content = dict(
            images=[dict(id=i, file_name=f'{i}.jpg', height=SIZE[0], width=SIZE[1]) for i in (1, 2)],
            annotations=[dict(dict(id=place), **one) for place, one in enumerate([*sound, *annotations], 1)],
            categories=[dict(id=7, name='bolt'), dict(id=9, name='nut')],
        )
        (root / 'instances_train.json').write_text(json.dumps(content))
        return root

    return make


@pytest.fixture
def make_panoptic(tmp_path: Path) -> Callable[..., Path]:
    """A factory of panoptic data of one image, whose left half is segment 1 and whose right half is segment 2."""

    def make(segments: Sequence[tuple[int, int, int]], isthing: int) -> Path:
        root = tmp_path / f'yard{isthing}'
        (root / 'panoptic_train').mkdir(parents=True)
        draw_photo(5).save(root / '5.jpg', quality=95)
        ids = np.ones((*SIZE, 3), np.uint8)
        ids[..., 1:] = 0
        ids[:, 32:, 0] = 2
        Image.fromarray(ids).save(root / 'panoptic_train' / '5.png')
        info = [dict(id=id_, category_id=category, iscrowd=crowd) for id_, category, crowd in segments]
        content = dict(
            images=[dict(id=5, file_name='5.jpg', height=SIZE[0], width=SIZE[1])],
            annotations=[dict(image_id=5, file_name='5.png', segments_info=info)],
            categories=[dict(id=1, name='car', isthing=isthing)],
        )
        (root / 'panoptic_train.json').write_text(json.dumps(content))
        return root

    return make


@pytest.fixture
def look() -> Callable[..., Examination]:
    """Examines what is named."""
    return lambda *targets: examine(sources_of([str(target) for target in targets]), workers=2)
