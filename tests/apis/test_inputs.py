"""From what a user names to images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmlmseg.apis import expand_inputs, read_image
from mmlmseg.errors import DataError

BLUE = np.full((4, 6, 3), (255, 0, 0), np.uint8)  # in BGR


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ('b.png', 'a.JPG', 'c.bmp', '[1].png'):
        cv2.imwrite(str(tmp_path / name), BLUE)
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / 'deeper').mkdir()
    return tmp_path


def test_folder_glob_file_array_and_lists(folder: Path) -> None:
    assert [p.name for p in expand_inputs(folder)] == ['[1].png', 'a.JPG', 'b.png', 'c.bmp']
    assert [p.name for p in expand_inputs(f'{folder}/?.*')] == ['a.JPG', 'b.png', 'c.bmp']
    assert expand_inputs(f'{folder}/[1].png') == [folder / '[1].png']  # a file before a glob
    mixed = expand_inputs([BLUE, str(folder / 'b.png'), folder])
    assert mixed[0] is BLUE
    assert len(mixed) == 6


def test_what_leads_to_no_image_is_an_error(folder: Path) -> None:
    with pytest.raises(DataError, match=r'missing.png: no such image'):
        expand_inputs(folder / 'missing.png')
    with pytest.raises(DataError, match=r'deeper: the folder holds no image'):
        expand_inputs(folder / 'deeper')
    with pytest.raises(DataError, match=r'list of inputs is empty'):
        expand_inputs([])


def test_images_are_bgr(folder: Path) -> None:
    assert np.array_equal(read_image(folder / 'b.png'), BLUE)
    assert read_image(BLUE) is BLUE
    assert read_image(np.zeros((3, 5), np.uint8)).shape == (3, 5, 3)


def test_unreadable_images_are_errors(folder: Path) -> None:
    (folder / 'empty.png').write_bytes(b'')
    for name in ('notes.txt', 'empty.png'):
        with pytest.raises(DataError, match=name):
            read_image(folder / name)
    with pytest.raises(DataError, match=r'missing.png'):
        read_image(folder / 'missing.png')
    with pytest.raises(DataError, match=r'must be uint8'):
        read_image(BLUE.astype(np.float32))
    with pytest.raises(DataError, match=r'\[4, 6, 4\]'):
        read_image(np.zeros((4, 6, 4), np.uint8))
