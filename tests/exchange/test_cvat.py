"""CVAT's XML files become objects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmlmseg.errors import DataError
from mmlmseg.exchange.cvat import read_cvat

BOX = '<box label="car" xtl="2" ytl="3" xbr="12" ybr="9" z_order="{}" {}/>'


def test_what_datumaro_wrote_becomes_objects(
    written: Callable[[str], Path], convert: Callable[..., int], objects_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written('cvat')
    assert convert('cvat_to_coco', folder / 'train.xml', folder / 'out.json') == 0
    printed = capsys.readouterr().out
    for words in ('2 images (1 without an object), 4 objects', '1 x polyline', '1 x points', '1 x tag', '/cvat/images'):
        assert words in printed
    found = objects_of(folder / 'out.json', 'a.png')
    assert found.categories == ['ball', 'car', 'dirt']
    assert [name for name, _ in found] == ['dirt', 'ball', 'ball', 'car']  # by z_order
    dirt, turned, ball, car = (pixels for _, pixels in found)
    mask = np.zeros((48, 64), bool)
    mask[10:20, 33:50] = True
    mask[12:15, 40] = False
    assert np.array_equal(dirt, mask)
    assert ball.sum() == 24 * 14
    assert turned.sum() == pytest.approx(72, rel=0.1)
    assert turned[36, 16]
    assert turned[33, 11]  # clockwise: its left end is above
    assert not turned[38, 11]
    assert car[8:24, 6:30].all()
    assert car[3, 45]
    assert not objects_of(folder / 'out.json', 'town/b.png')


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    """Writes an export of CVAT with some images, each of some shapes."""

    def write(*images: str, kind: str = 'task', labels: str = '', name: str = 'annotations.xml') -> Path:
        own = labels or '<label><name>car</name><color>#ff0080</color><type>any</type></label>'
        meta = f'<meta><{kind}><labels>{own}</labels></{kind}></meta>'
        (tmp_path / name).write_text(f'<annotations><version>1.1</version>{meta}{"".join(images)}</annotations>')
        return tmp_path / name

    return write


def image(name: str, *shapes: str, more: str = '', folder: Path | None = None) -> str:
    """An image of an export; its file too."""
    if folder is not None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (64, 48)).save(path)
    return f'<image id="0" name="{name}" width="64" height="48" {more}>{"".join(shapes)}</image>'


def test_shapes_are_those_that_cvat_draws(export: Callable[..., Path], tmp_path: Path) -> None:
    shapes = (
        '<ellipse label="car" cx="20" cy="20" rx="10" ry="5" z_order="1"/>',
        '<ellipse label="car" cx="40" cy="20" rx="10" ry="4" rotation="90.00" z_order="0"/>',
        '<mask label="car" rle="1, 3, 2" left="10" top="4" width="3" height="2" z_order="3"/>',
        BOX.format(2, 'outside="1"'),
        BOX.format(2, 'occluded="1" group_id="0"'),
        BOX.format(2, 'group_id="0"'),
        '<skeleton label="car"><points label="1" points="3,3"/></skeleton>',
    )
    read = read_cvat([export(image('a.png', *shapes, folder=tmp_path))], tmp_path)
    content, root = read.to_coco(tmp_path)
    assert root == tmp_path
    assert content.categories == [dict(id=1, name='car', supercategory='', color=[255, 0, 128])]
    areas = [one['area'] for one in content.annotations]
    assert areas[:2] == [pytest.approx(np.pi * 40, rel=0.05), pytest.approx(np.pi * 50, rel=0.05)]
    assert areas[2:] == [60, 60, 3]  # group 0 is none
    assert content.annotations[0]['bbox'][2:] == pytest.approx([8, 20], abs=1)
    assert content.annotations[4]['bbox'] == [10, 4, 3, 2]
    assert list(read.losses.places) == [
        'shape that is outside of its image (outside="1")',
        'skeleton, which covers no area',
    ]


def test_jobs_of_a_task_are_one_dataset(export: Callable[..., Path], tmp_path: Path) -> None:
    first, second = (image(name, folder=tmp_path / 'images') for name in ('frame_000000.png', 'b.png'))
    full = image('frame_000000', BOX.format(0, ''))  # frames of videos have no suffix
    labels = '<label><name>tree</name></label><label><name>car</name></label>'
    files = [export(first, second, kind='job'), export(full, kind='job', labels=labels, name='second.xml')]
    read = read_cvat(files, tmp_path / 'images')
    assert read.classes == ['car', 'tree']
    assert read.palette == [(255, 0, 128), (128, 128, 128)]
    assert [(one.file.name, len(one.shapes)) for one in read.images] == [('frame_000000.png', 1), ('b.png', 0)]
    with pytest.raises(DataError, match="second.xml: image 'frame_000000' has shapes at two places"):
        read_cvat([files[1], files[1]], tmp_path / 'images')


def test_a_project_has_its_images_in_subsets(export: Callable[..., Path], tmp_path: Path) -> None:
    for name in ('Train/a.png', 'Train/never.png'):
        image(name, folder=tmp_path)
    labels = (
        '<label><name>car</name><type>polygon</type></label><label><name>man</name><type>skeleton</type></label>'
        '<label><name>head</name><type>points</type><parent>man</parent></label>'
        '<label><name>arm</name><type>any</type><parent>man</parent></label>'
    )
    more = 'subset="Train" task_id="4"'
    path = export(
        image('a.png', BOX.format(0, '').replace('/>', '><attribute name="wet">1</attribute></box>'), more=more),
        image('gone.png', BOX.format(0, '')),
        kind='project',
        labels=labels,
    )
    read = read_cvat([path], tmp_path)
    assert read.classes == ['car']
    assert [one.file for one in read.images] == [tmp_path / 'Train' / 'a.png']
    assert list(read.losses.places.values()) == [['a.png'], ['gone.png'], [str(tmp_path / 'Train' / 'never.png')]]
