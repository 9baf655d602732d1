"""labelme's JSON files become objects."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmlmseg.errors import DataError, LabelSpaceError
from mmlmseg.exchange.labelme import read_labelme

BOX = [[6, 8], [30, 8], [30, 24], [6, 24]]


def test_what_labelme_wrote_becomes_objects(
    written: Callable[[str], Path], convert: Callable[..., int], objects_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written('labelme')
    out = folder / 'out' / 'yard.json'
    assert convert('labelme_to_coco', folder, out) == 0
    printed = capsys.readouterr().out
    for words in (
        '2 images (1 without an object), 5 objects',
        '1 car',
        '2 ball',
        '1 x line, which covers no area',
        '1 x point, which covers no area',
        '1 x flags of a shape',
        'image that is missing, which the JSON file holds: --save-images writes it',
        "img_path='" + str(folder),
        "overlaps='later'",
    ):
        assert words in printed
    found = objects_of(out, 'a.png')
    assert found.categories == ['ball', 'car', 'dirt']
    assert [name for name, _ in found] == ['car', 'ball', 'ball', 'dirt', 'dirt']
    car, ball, circle, mask, turned = (pixels for _, pixels in found)
    assert car[8:24, 6:30].all()
    assert car[3, 44:46].all()  # the second part of its group
    assert 24 * 16 + 40 <= car.sum() <= 24 * 16 + 60
    assert np.array_equal(np.argwhere(ball)[[0, -1]], [[30, 36], [43, 59]])
    assert circle.sum() == pytest.approx(np.pi * 36, rel=0.05)
    assert circle[36, 20]
    window = np.zeros((10, 12), bool)
    window[2:8, 3:9] = True
    window[4, 5] = False
    assert np.array_equal(mask[20:30, 10:22], window)
    assert mask.sum() == window.sum()
    assert turned.sum() == pytest.approx(100, rel=0.1)
    nowhere = [one for one in found.annotations if one['iscrowd']]
    assert [one['category_id'] for one in nowhere] == [1, 2, 3]
    assert {one['area'] for one in nowhere} == {64}


def test_images_of_the_json_files_are_written_where_they_should_be(
    written: Callable[[str], Path], convert: Callable[..., int], objects_of: Any
) -> None:
    folder = written('labelme')
    assert convert('labelme_to_coco', folder, folder / 'yard.json', '--save-images') == 0
    assert Image.open(folder / 'inline.png').size == (64, 48)
    assert [name for name, _ in objects_of(folder / 'yard.json', 'inline.png')] == ['car']


def test_labels_may_lie_apart_from_their_images(written: Callable[[str], Path], tmp_path: Path) -> None:
    labels = tmp_path / 'labels'
    labels.mkdir()
    folder = written('labelme')
    (folder / 'a.json').rename(labels / 'a.json')
    content = json.loads((labels / 'a.json').read_text())
    for named in ('C:\\Users\\me\\yard\\a.png', '..\\labelme\\a.png', 'a.png'):
        (labels / 'a.json').write_text(json.dumps({**content, 'imagePath': named}))
        read = read_labelme(labels, folder)
        assert [image.file.name for image in read.images] == ['a.png']
        assert 'image without a JSON file, which nobody labelled' in read.losses.places


def test_a_list_gives_the_order_of_the_classes(
    written: Callable[[str], Path], convert: Callable[..., int], objects_of: Any, tmp_path: Path
) -> None:
    folder = written('labelme')
    (tmp_path / 'labels.txt').write_text('__ignore__\n_background_\ndirt\ncar\nball\nnever\n')
    assert convert('labelme_to_coco', folder, tmp_path / 'o.json', '--classes', tmp_path / 'labels.txt') == 0
    assert objects_of(tmp_path / 'o.json', 'a.png').categories == ['dirt', 'car', 'ball', 'never']
    with pytest.raises(LabelSpaceError, match=r"a\.png: 'car' is no class .* Did you mean: care"):
        read_labelme(folder, classes=['care', 'ball', 'dirt']).to_coco(folder)


@pytest.fixture
def label(tmp_path: Path) -> Callable[..., Path]:
    """Writes an image and its JSON file as labelme would."""

    def write(*shapes: dict[str, Any], orientation: int = 1, **more: Any) -> Path:
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new('RGB', (64, 48)).save(tmp_path / 'x.jpg', exif=exif)
        content = dict(version='5.0', flags={}, shapes=list(shapes), imagePath='x.jpg', imageData=None)
        (tmp_path / 'x.json').write_text(json.dumps({**content, 'imageHeight': 48, 'imageWidth': 64, **more}))
        return tmp_path

    return write


def test_labels_of_a_turned_photo_are_of_the_picture_as_shown(label: Callable[..., Path]) -> None:
    shape = dict(label='car', points=BOX)
    shown = read_labelme(label(shape, orientation=6, imageHeight=64, imageWidth=48))
    assert shown.images[0].size == (64, 48)
    stored = read_labelme(label(shape, orientation=6))
    assert not stored.images
    assert any('as stored' in what for what in stored.losses.places)
    with pytest.raises(DataError, match='no image is left to write'):
        stored.to_coco(Path())


def test_old_files_and_lone_clicks_are_read(label: Callable[..., Path]) -> None:
    shapes = [
        dict(label=' car ', points=BOX, line_color=None),
        dict(label='car', points=[[1, 1], [9, 9]]),
        dict(label='car', points=[[1, 1], [9, 1], [9, 9], [1, 9]], shape_type='rectangle'),
        dict(label='car', points=[[100, 100], [110, 100], [110, 110]]),
        dict(label='_background_', points=BOX),
    ]
    read = read_labelme(label(*shapes, imageHeight=None, imageWidth=None))
    content, _ = read.to_coco(Path())
    assert [one['area'] for one in content.annotations] == [24 * 16, 64]
    assert list(read.losses.places) == [
        'shape of _background_, which is no object',
        'polygon of less than three points',
        'object that covers no pixel',
    ]


def test_parts_that_are_polygons_and_pixels_become_pixels(label: Callable[..., Path]) -> None:
    png = io.BytesIO()
    Image.new('L', (2, 1), 1).save(png, 'PNG')
    mask = dict(
        label='car',
        points=[[0, 0], [1, 0]],
        shape_type='mask',
        group_id=4,
        mask=base64.b64encode(png.getvalue()).decode(),
    )
    other = dict(label='ball', points=BOX, group_id=4)  # of the same number, but another class
    content, _ = read_labelme(label(mask, dict(label='car', points=BOX, group_id=4), other)).to_coco(Path())
    assert [one['category_id'] for one in content.annotations] == [2, 1]
    assert content.annotations[0]['segmentation']['size'] == [48, 64]
