"""What decoders would change about files, without a word."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmlmseg.datasets import files
from mmlmseg.datasets.files import (
    check_image_file,
    check_label_file,
    exif_orientation,
    warn_of_binary_masks,
    warn_of_turned_image,
)
from mmlmseg.errors import DataError

NOISE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_cut_off_images(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'a{suffix}'
    Image.fromarray(NOISE).save(path)
    whole = path.read_bytes()
    check_image_file(str(path))
    path.write_bytes(whole + b'some trailer of a camera')
    check_image_file(str(path))
    for start in (whole[: len(whole) // 2], b''):
        path.write_bytes(start)
        with pytest.raises(DataError, match='damaged or cut off'):
            check_image_file(str(path))


@pytest.mark.parametrize(('suffix', 'channels'), [('.png', 1), ('.png', 3), ('.tiff', 1), ('.tiff', 3), ('.ppm', 3)])
def test_images_of_more_than_8_bits(tmp_path: Path, suffix: str, channels: int) -> None:
    path = str(tmp_path / f'a{suffix}')
    cv2.imwrite(path, NOISE[..., :channels])
    check_image_file(path, keeps_depth=False)
    cv2.imwrite(path, NOISE[..., :channels].astype(np.uint16) * 16)
    check_image_file(path)
    with pytest.raises(DataError, match="16 bits a channel.*color_type='unchanged'"):
        check_image_file(path, keeps_depth=False)


def test_floating_point_images(tmp_path: Path) -> None:
    path = str(tmp_path / 'a.tiff')
    cv2.imwrite(path, NOISE.astype(np.float32))
    with pytest.raises(DataError, match='32 bits a channel'):
        check_image_file(path, keeps_depth=False)


@pytest.mark.parametrize('suffix', ['.gif', '.webp', '.png', '.tiff'])
def test_files_of_several_pictures(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'a{suffix}'
    Image.fromarray(NOISE).save(path)
    check_image_file(str(path), keeps_depth=False)
    Image.fromarray(NOISE).save(path, save_all=True, append_images=[Image.fromarray(255 - NOISE)])
    with pytest.raises(DataError, match='holds 2 pictures'):
        check_image_file(str(path))


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.tiff', '.webp'])
def test_exif_orientation(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'a{suffix}'
    Image.fromarray(NOISE).save(path)
    assert exif_orientation(str(path)) == 1
    Image.fromarray(NOISE).save(path, exif=exif(3))
    assert exif_orientation(str(path)) == (1 if suffix == '.webp' else 3)


def test_a_turned_image_is_told_once_for_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(files, 'print_log', lambda message, *_: told.append(message))
    monkeypatch.setattr(files, '_turned_folders', set())
    for path in ('a/1.jpg', 'a/2.jpg', 'b/1.jpg'):
        warn_of_turned_image(path, 3)
    assert [message.split(':')[0] for message in told] == ['a/1.jpg', 'b/1.jpg']
    assert 'color_ignore_orientation' in told[0]


def test_label_files(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    for good in (np.full((4, 4), 200, np.uint16), np.full((4, 4), 200, np.uint8), np.full((4, 4), 7, np.int32)):
        Image.fromarray(good).save(path, 'TIFF' if good.dtype == np.int32 else 'PNG')
        check_label_file(str(path))
    bad = [
        (np.full((4, 4), 300, np.uint16), 'PNG', 'label id 300 in a 16-bit'),
        (np.full((4, 4), 257, np.int32), 'TIFF', 'label id 257 in a 32-bit'),
        (np.full((4, 4), -1, np.int32), 'TIFF', 'label id -1 in a 32-bit'),
        (np.full((4, 4), 1.5, np.float32), 'TIFF', 'floating-point numbers .such as 1.5'),
        (np.full((4, 4), 1, np.uint8), 'JPEG', 'is a JPEG, which smears ids'),
    ]
    for ids, kind, words in bad:
        Image.fromarray(ids).save(path, kind)
        with pytest.raises(DataError, match=words):
            check_label_file(str(path))


def test_masks_of_0_and_255_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(files, 'print_log', lambda message, *_: told.append(message))
    masks = {'both': [0, 255], 'none': [0, 0], 'ids': [0, 1]}
    for name, ids in masks.items():
        Image.fromarray(np.array([ids], np.uint8)).save(tmp_path / f'{name}.png')
    paths = {name: str(tmp_path / f'{name}.png') for name in masks}
    warn_of_binary_masks([paths['none']], 'crack')
    warn_of_binary_masks([paths['both'], paths['ids']], 'crack')
    assert told == []
    warn_of_binary_masks([paths['none'], paths['both']], 'crack')
    assert "'crack' has no pixel" in told[0]
    assert 'save it as 1' in told[0]
