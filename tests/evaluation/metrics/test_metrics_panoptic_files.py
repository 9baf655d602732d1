"""The two halves of panoptic result files: a PNG per image, one json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmlmseg.errors import DataError
from mmlmseg.evaluation.metrics.panoptic_files import write_index, write_segments
from mmlmseg.segments import read_panoptic_png

SEGMENTS = np.array([[0, 1, 1], [3, 3, 3]], dtype=np.int32)


def test_an_image_and_its_entry(tmp_path: Path) -> None:
    folder = tmp_path / 'street' / 'panoptic'
    entry = write_segments(folder, 'images/a.b.jpg', None, SEGMENTS, [7, 8, 7])
    assert entry == dict(
        image_id='a.b',
        file_name='a.b.png',
        segments_info=[
            dict(id=1, category_id=7, area=2, iscrowd=0),
            dict(id=3, category_id=7, area=3, iscrowd=0),  # 2 has no pixel
        ],
    )
    assert np.array_equal(read_panoptic_png(folder / 'a.b.png'), SEGMENTS)
    assert write_segments(folder, 'a.jpg', 0, SEGMENTS, [7, 8, 7])['image_id'] == 0


def test_the_json_lies_where_panopticapi_looks_for_it(tmp_path: Path) -> None:
    annotations = {'x/a.jpg': dict(image_id=5, file_name='a.png', segments_info=[])}
    categories = [dict(id=0, name='sky', isthing=0)]
    write_index(tmp_path / 'panoptic', annotations, categories)
    content = json.loads((tmp_path / 'panoptic.json').read_text())
    assert content == dict(annotations=[annotations['x/a.jpg']], categories=categories)


@pytest.mark.parametrize(('key', 'value'), [('file_name', "'a.png'"), ('image_id', '5')])
def test_images_of_one_name_are_an_error(tmp_path: Path, key: str, value: str) -> None:
    first = dict(image_id=5, file_name='a.png', segments_info=[])
    second = {**dict(image_id=6, file_name='b.png', segments_info=[]), key: first[key]}
    with pytest.raises(DataError, match=rf'x/a\.jpg and y/a\.jpg both have the {key} {value}'):
        write_index(tmp_path / 'panoptic', {'x/a.jpg': first, 'y/a.jpg': second}, [])
    assert not (tmp_path / 'panoptic.json').exists()
