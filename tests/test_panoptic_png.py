"""Colours and ids, files that cannot be read, and COCO's own panoptic PNGs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmlmseg.errors import DataError
from mmlmseg.panoptic_png import MAX_ID, id_to_rgb, read_panoptic_png, rgb_to_id, write_panoptic_png


def test_colours_are_digits_to_the_base_256() -> None:
    ids = np.array([[0, 1, 255], [256, 65536, MAX_ID]])
    colours = [[[0, 0, 0], [1, 0, 0], [255, 0, 0]], [[0, 1, 0], [0, 0, 1], [255, 255, 255]]]
    assert id_to_rgb(ids).tolist() == colours
    assert rgb_to_id(np.array(colours, dtype=np.uint8)).tolist() == ids.tolist()


@pytest.mark.parametrize('dtype', [np.uint8, np.int32, np.int64, np.uint32, '>i4'])
@pytest.mark.parametrize('shape', [(), (7,), (0, 3), (5, 6)])
def test_there_and_back(dtype: str, shape: tuple[int, ...]) -> None:
    most = min(np.iinfo(dtype).max, MAX_ID)
    ids = np.random.default_rng(0).integers(0, most, shape, endpoint=True)
    colours = id_to_rgb(np.asarray(ids, dtype=dtype).T)
    assert (colours.dtype, colours.shape) == (np.uint8, (*shape[::-1], 3))
    assert np.array_equal(rgb_to_id(colours), np.asarray(ids).T)
    assert rgb_to_id(colours).dtype == np.int32


def test_files_there_and_back(tmp_path: Path) -> None:
    ids = np.random.default_rng(0).integers(0, MAX_ID, (33, 47), endpoint=True)
    write_panoptic_png(tmp_path / 'x.png', ids)
    assert np.array_equal(read_panoptic_png(tmp_path / 'x.png'), ids)
    assert read_panoptic_png(str(tmp_path / 'x.png')).dtype == np.int32


@pytest.mark.parametrize('value', [-1, MAX_ID + 1])
def test_ids_of_more_than_three_bytes_are_errors(tmp_path: Path, value: int) -> None:
    with pytest.raises(DataError, match=rf'x\.png: segment id {value} is outside 0\.\.16777215'):
        write_panoptic_png(tmp_path / 'x.png', np.array([[5, value]]))
    assert not (tmp_path / 'x.png').exists()


@pytest.mark.parametrize(
    'colours', [np.zeros((2, 2), np.uint8), np.zeros((2, 4), np.uint8), np.zeros((2, 3), np.int32)]
)
def test_what_is_no_colour_is_an_error(colours: np.ndarray) -> None:
    with pytest.raises(DataError, match=r'uint8 \[\.\.\., 3\]'):
        rgb_to_id(colours)


@pytest.mark.parametrize(
    ('mode', 'message'),
    [('L', 'is grey with 8 bits'), ('P', 'is palette'), ('RGBA', 'is RGBA'), ('I;16', 'is grey with 16 bits')],
)
def test_a_png_of_another_kind_is_an_error(tmp_path: Path, mode: str, message: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / 'x.png')
    with pytest.raises(DataError, match=rf'x\.png: {message}'):
        read_panoptic_png(tmp_path / 'x.png')


def test_unreadable_files_are_errors(tmp_path: Path) -> None:
    path = tmp_path / 'x.png'
    with pytest.raises(DataError, match=r'x\.png: no such file'):
        read_panoptic_png(path)
    for content in (b'', b'\x89PNG\r\n', b'no picture at all, but long enough'):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r'x\.png: is no PNG'):
            read_panoptic_png(path)
    write_panoptic_png(path, np.random.default_rng(0).integers(0, MAX_ID, (64, 64)))
    whole = path.read_bytes()
    for cut in (26, 40, len(whole) // 2):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r'x\.png: cannot be read'):
            read_panoptic_png(path)


def test_the_ids_of_coco(shared_data: Path) -> None:
    folder = shared_data / 'coco_panoptic_sample'
    annotations = json.loads((folder / 'panoptic_examples.json').read_text())['annotations']
    assert len(annotations) == 2
    for annotation in annotations:
        ids = read_panoptic_png(folder / 'panoptic_examples' / annotation['file_name'])
        areas = dict(zip(*(values.tolist() for values in np.unique(ids[ids > 0], return_counts=True))))
        assert areas == {segment['id']: segment['area'] for segment in annotation['segments_info']}
