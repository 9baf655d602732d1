"""Files of labels and of instances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DefaultScope
from PIL import Image
from refusals import Refusals

from mmlmseg.datasets import MultiDataset
from mmlmseg.errors import DataError

REFUSALS = Refusals()
SIZE = (16, 24)
ZEROS = np.zeros(SIZE, np.uint8)


def load(folder: Path, loader: str = 'LoadAnnotations', image_size: tuple[int, int] = SIZE, **classes: Any) -> None:
    """Reads the labels in ``labels/image.png`` of a dataset with three classes."""
    (folder / 'images').mkdir()
    Image.fromarray(np.zeros((*image_size, 3), np.uint8)).save(folder / 'images' / 'image.png')
    (folder / 'train.txt').write_text('image\n')
    (folder / 'classes.json').write_text(json.dumps(dict(dict(classes=['sky', 'road', 'car']), **classes)))
    pack = 'mmlmseg.PackSegments' if loader == 'mmlmseg.LoadSegments' else 'PackSegInputs'
    steps = [dict(type=kind) for kind in ('LoadImageFromFile', loader, pack)]
    with DefaultScope.overwrite_default_scope('mmseg'):
        _ = MultiDataset([dict(type='mmlmseg.FolderDataset', data_root=str(folder), pipeline=steps)])[0]


def write(folder: Path, ids: np.ndarray, kind: str = 'PNG', where: str = 'labels') -> None:
    (folder / where).mkdir()
    Image.fromarray(ids).save(folder / where / 'image.png', kind)


@REFUSALS.by(DataError, 'labels/image.png', 'label id 300', '16-bit', 'must fit 8 bits')
def ids_of_16_bits(folder: Path) -> None:
    write(folder, ZEROS.astype(np.uint16) + 300)
    load(folder)


@REFUSALS.by(DataError, 'labels/image.png', 'label id 257', '32-bit', 'must fit 8 bits')
def a_tiff_of_32_bits(folder: Path) -> None:
    write(folder, ZEROS.astype(np.int32) + 257, 'TIFF')
    load(folder)


@REFUSALS.by(DataError, 'labels/image.png', 'label id -1', 'must fit 8 bits')
def a_tiff_with_minus_1(folder: Path) -> None:
    write(folder, ZEROS.astype(np.int32) - 1, 'TIFF')
    load(folder)


@REFUSALS.by(DataError, 'labels/image.png', 'floating-point', '1.5', 'save ids of 8 bits')
def a_tiff_of_floats(folder: Path) -> None:
    write(folder, ZEROS + np.float32(1.5), 'TIFF')
    load(folder)


@REFUSALS.by(DataError, 'labels/image.png', 'JPEG', 'as PNG')
def a_jpeg(folder: Path) -> None:
    write(folder, ZEROS, 'JPEG')
    load(folder)


@REFUSALS.by(DataError, 'labels/image.png', 'JPEG', 'as PNG')
def a_jpeg_under_instances(folder: Path) -> None:
    write(folder, ZEROS, 'JPEG')
    write(folder, ZEROS, where='instances')
    load(folder, 'mmlmseg.LoadSegments')


@REFUSALS.by(DataError, 'labels/image.png', '(16, 24, 3)', '(128, 64, 0)', 'one 8-bit class id per pixel')
def colours(folder: Path) -> None:
    write(folder, np.full((*SIZE, 3), (128, 64, 0), np.uint8))
    load(folder)


@REFUSALS.by(DataError, 'labels/image.png', '(16, 24, 2)', 'one 8-bit class id per pixel')
def grey_with_transparency(folder: Path) -> None:
    write(folder, np.zeros((*SIZE, 2), np.uint8))
    load(folder, 'mmlmseg.LoadAnnotations')


@REFUSALS.by(DataError, 'labels/image.png', 'label id 7', 'allowed: 0..2 and 255')
def an_id_beyond_the_classes(folder: Path) -> None:
    write(folder, ZEROS + np.uint8(7))
    load(folder)


@REFUSALS.by(DataError, 'labels/image.png', 'reduce_zero_label=True')
def ids_from_1(folder: Path) -> None:
    write(folder, np.tile(np.arange(1, 4, dtype=np.uint8), (16, 8)))
    load(folder)


@REFUSALS.by(DataError, 'labels/image.png', 'image 16x24, label 24x16')
def the_label_of_a_turned_image(folder: Path) -> None:
    write(folder, ZEROS.T)
    load(folder)


@REFUSALS.by(DataError, 'labels/image.png', 'image 32x48, label 16x24', 'at one size')
def labels_at_half_the_size(folder: Path) -> None:
    write(folder, ZEROS)
    load(folder, image_size=(32, 48))


@REFUSALS.by(DataError, 'labels/image.png', 'cannot be read as an image', 'replace the file')
def an_empty_file(folder: Path) -> None:
    (folder / 'labels').mkdir()
    (folder / 'labels' / 'image.png').write_bytes(b'')
    load(folder)


@REFUSALS.by(DataError, 'labels/image.png', 'replace the file')
def a_cut_off_png(folder: Path) -> None:
    write(folder, np.random.default_rng(0).integers(0, 3, SIZE, dtype=np.uint8))
    path = folder / 'labels' / 'image.png'
    path.write_bytes(path.read_bytes()[:90])
    load(folder)


@REFUSALS.by(DataError, 'instances/image.png', 'mode RGB', 'one 8-bit or 16-bit segment id')
def instances_in_colours(folder: Path) -> None:
    write(folder, ZEROS + np.uint8(2))
    write(folder, np.zeros((*SIZE, 3), np.uint8), where='instances')
    load(folder, 'mmlmseg.LoadSegments', things=['car'])


@REFUSALS.by(DataError, 'instances/image.png', '24x16', '16x24', 'differ in size')
def instances_of_another_size(folder: Path) -> None:
    write(folder, ZEROS + np.uint8(2))
    write(folder, ZEROS.T, where='instances')
    load(folder, 'mmlmseg.LoadSegments', things=['car'])


@REFUSALS.by(DataError, 'instances/image.png', 'segment 1', "'road' and 'car'", 'its own id')
def an_instance_of_two_classes(folder: Path) -> None:
    write(folder, np.repeat(np.array([[1, 2]], np.uint8), 16, 0).repeat(12, 1))
    write(folder, ZEROS + np.uint8(1), where='instances')
    load(folder, 'mmlmseg.LoadSegments', things=['car', 'road'])
