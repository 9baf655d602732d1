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


@pytest.fixture
def pipeline() -> list[dict[str, Any]]:
    """Load an image and its labels, pack both."""
    return [
        dict(type='LoadImageFromFile'),
        dict(type='mmseg.LoadAnnotations'),
        dict(type='mmseg.PackSegInputs'),
    ]
