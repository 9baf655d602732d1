"""Saved label maps and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmlmseg.apis.results import Segmentation, file_stems, save

PALETTE = tuple((index % 256, index // 256, 7) for index in range(300))


def _result(label_map: np.ndarray, num_classes: int) -> Segmentation:
    names = tuple(f'class {index}' for index in range(num_classes))
    return Segmentation(Path('x.jpg'), label_map, 'space', names, PALETTE[:num_classes])


def test_shares_are_named_and_sorted() -> None:
    result = _result(np.array([[2, 2, 2, 0]], np.uint8), 3)
    assert result.shares() == [('class 2', 0.75), ('class 0', 0.25)]


@pytest.mark.parametrize(('num_classes', 'mode'), [(3, 'P'), (300, 'I;16')])
def test_saved_label_maps_hold_the_ids(tmp_path: Path, num_classes: int, mode: str) -> None:
    label_map = np.arange(12).reshape(3, 4) * (num_classes - 1) // 11
    image = np.zeros((3, 4, 3), np.uint8)
    save(_result(label_map, num_classes), image, tmp_path, 'x')
    with Image.open(tmp_path / 'pred' / 'x.png') as saved:
        assert saved.mode == mode
        assert np.array_equal(np.asarray(saved), label_map)
    with Image.open(tmp_path / 'vis' / 'x.png') as picture:
        assert picture.width == 2 * 320 + 3 * 10


def test_stems_never_clash() -> None:
    paths = [Path('a/x.png'), Path('b/x.png'), Path('x_1.png'), Path('c/x.png'), None]
    assert len(set(file_stems(paths))) == 5
