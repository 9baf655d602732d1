"""Files of annotation tools that cannot be converted."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from refusals import Refusals

from mmlmseg.errors import DataError
from mmlmseg.exchange.cvat import read_cvat
from mmlmseg.exchange.labelme import read_labelme
from mmlmseg.exchange.voc import convert_voc
from mmlmseg.exchange.yolo import read_yolo

REFUSALS = Refusals()


def picture(path: Path) -> None:
    """An image of 64 x 48 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (64, 48)).save(path)


def labelme(**content: Any) -> Callable[[Path], Any]:
    """Reads a file of labelme with some content."""

    def read(folder: Path) -> None:
        picture(folder / 'x.png')
        whole = dict(version='6.3.1', shapes=[], imagePath='x.png', imageData=None, imageHeight=48, imageWidth=64)
        (folder / 'x.json').write_text(json.dumps({**whole, **content}))
        read_labelme(folder).to_coco(folder)

    return read


def cvat(text: str, image: str = 'name="x.png" width="64" height="48"') -> Callable[[Path], Any]:
    """Reads an export of CVAT with an image of some shapes."""

    def read(folder: Path) -> None:
        picture(folder / 'x.png')
        meta = '<meta><task><labels><label><name>car</name></label></labels></task></meta>'
        (folder / 'x.xml').write_text(f'<annotations>{meta}<image id="0" {image}>{text}</image></annotations>')
        read_cvat([folder / 'x.xml'], folder).to_coco(folder)

    return read


def yolo(line: str, **keys: Any) -> Callable[[Path], Any]:
    """Reads a data.yaml with one image of one line of labels."""

    def read(folder: Path) -> None:
        picture(folder / 'images' / 'x.png')
        (folder / 'labels').mkdir()
        (folder / 'labels' / 'x.txt').write_text(line)
        (folder / 'data.yaml').write_text(json.dumps({'names': ['car'], 'train': 'images', **keys}))
        read_yolo(folder / 'data.yaml')

    return read


def voc(labels: np.ndarray, labelmap: str = '') -> Callable[[Path], Any]:
    """Converts a folder in Pascal VOC's layout."""

    def read(folder: Path) -> None:
        picture(folder / 'voc' / 'JPEGImages' / 'x.jpg')
        (folder / 'voc' / 'SegmentationClass').mkdir()
        Image.fromarray(labels).save(folder / 'voc' / 'SegmentationClass' / 'x.png')
        if labelmap:
            (folder / 'voc' / 'labelmap.txt').write_text(labelmap)
        convert_voc(folder / 'voc', folder / 'out')

    return read


POLYGON = '<polygon label="car" points="{}"/>'
MASK = '<mask label="car" rle="{}" left="{}" top="0" width="4" height="2"/>'

ROWS: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    'a_shape_of_labelme_of_an_unknown_kind': (
        labelme(shapes=[dict(label='car', shape_type='star', points=[[1, 1]])]),
        ('x.json: shapes[0]', "'star'", 'known: polygon'),
    ),
    'a_shape_of_labelme_without_a_label': (labelme(shapes=[dict(points=[])]), ('shapes[0]', 'with a "label"')),
    'points_of_labelme_that_are_numbers': (
        labelme(shapes=[dict(label='car', points=[1, 2, 3])]),
        ('"points" is [1, 2, 3]', '[x, y]'),
    ),
    'a_coordinate_of_labelme_that_is_none': (
        labelme(shapes=[dict(label='car', points=[[1, 1], [9, None], [9, 9]])]),
        ('a coordinate is null',),
    ),
    'a_group_of_labelme_that_is_a_list': (
        labelme(shapes=[dict(label='car', points=[[1, 1], [9, 1], [9, 9]], group_id=[1])]),
        ('"group_id" is [1]',),
    ),
    'a_circle_of_three_points': (
        labelme(shapes=[dict(label='car', shape_type='circle', points=[[1, 1], [9, 1], [9, 9]])]),
        ('a circle has two points, not 3',),
    ),
    'a_mask_of_labelme_that_is_no_picture': (
        labelme(shapes=[dict(label='car', shape_type='mask', points=[[1, 1], [3, 3]], mask='AAAA')]),
        ('"mask" cannot be read as an image',),
    ),
    'a_mask_of_labelme_that_is_missing': (
        labelme(shapes=[dict(label='car', shape_type='mask', points=[[1, 1], [3, 3]])]),
        ('"mask" is no image in base64',),
    ),
    'a_file_of_labelme_that_names_no_image': (labelme(imagePath=None), ('"imagePath" is null',)),
    'an_image_of_labelme_that_is_missing': (
        labelme(imagePath='y.png'),
        ('no image is left', 'image that is missing', "'y.png' of"),
    ),
    'labels_without_a_class': (
        labelme(shapes=[dict(label='car', shape_type='point', points=[[1, 1]])]),
        ('no shape covers an area', '1 x point'),
    ),
    'labels_of_another_size': (labelme(imageHeight=480, imageWidth=640), ('of another size', 'x.json')),
    'a_file_of_another_tool': (labelme(shapes=None), ('no image is left', 'without "shapes"')),
    'a_polygon_of_cvat_of_letters': (cvat(POLYGON.format('1,1;a,b')), ("image 'x.png'", "'1,1;a,b'", 'x,y;x,y')),
    'a_mask_of_cvat_that_does_not_fill_its_box': (cvat(MASK.format('1, 2', 0)), ('have the sum 3', '4 x 2')),
    'a_mask_of_cvat_beyond_its_image': (cvat(MASK.format('1, 7', 62)), ('at (62, 0)', '64 x 48')),
    'a_shape_of_cvat_of_an_unknown_kind': (cvat('<star label="car"/>'), ('<star>', 'known: polygon')),
    'a_shape_of_cvat_of_an_unknown_label': (
        cvat(POLYGON.format('1,1;9,1;9,9').replace('car', 'cars')),
        ("'cars'", 'Did you mean: car?'),
    ),
    'an_image_of_cvat_without_a_size': (cvat('', 'name="x.png"'), ("image 'x.png'", 'a <image> has no "height"')),
    'a_box_alone': (yolo('0 0.5 0.5 0.2 0.2'), ('x.txt, line 1', 'holds a box', 'segmentation')),
    'a_polygon_in_pixels': (yolo('0 1 1 20 1 20 20'), ('x.txt, line 1', 'the coordinate 20', 'between 0 and 1')),
    'a_polygon_with_a_score': (yolo('0 0 0 1 0 1 1 0.9'), ('7 numbers',)),
    'a_class_without_a_name': (yolo('1 0 0 1 0 1 1'), ('the class 1 is none of the 1',)),
    'names_with_a_gap': (yolo('', names={0: 'car', 2: 'man'}), ('data.yaml', '["0", "2"]', '0 to 1')),
    'key_points': (yolo('', kpt_shape=[17, 3]), ('kpt_shape', 'segmentation')),
    'a_split_that_is_nowhere': (yolo('', val='images/val'), ("'images/val'", 'no folder or file')),
    'labels_that_are_nowhere': (yolo(''), ('no image has a label file with an object', 'labels/x.txt')),
    'a_description_without_splits': (yolo('', train=None), ('data.yaml', 'names no split', 'train/images')),
    'an_id_of_no_class_of_voc': (voc(np.full((48, 64), 30, np.uint8)), ('x.png', 'the id 30', 'labelmap.txt')),
    'a_colour_of_no_class_of_voc': (
        voc(np.full((48, 64, 3), 30, np.uint8), 'background:0,0,0::\n'),
        ('the colour 30,30,30', 'labelmap.txt'),
    ),
    'colours_that_nothing_explains': (voc(np.zeros((48, 64, 3), np.uint8)), ('x.png', 'colours need labelmap.txt')),
    'a_list_of_colours_in_words': (voc(np.zeros((48, 64), np.uint8), 'car:red::\n'), ('labelmap.txt', 'NAME:R,G,B')),
}
for _name, (_do, _words) in ROWS.items():
    _do.__name__ = _name
    REFUSALS.by(DataError if 'unknown_label' not in _name else ValueError, *_words)(_do)


@REFUSALS.by(DataError, 'y.json: is of the image', 'x.json', 'keep one of them')
def two_files_of_labelme_of_one_image(folder: Path) -> None:
    with suppress(DataError):  # there is no shape
        labelme()(folder)
    (folder / 'y.json').write_text((folder / 'x.json').read_text())
    read_labelme(folder)


@REFUSALS.by(DataError, 'x.txt: cannot be read as text in UTF-8')
def labels_of_another_encoding(folder: Path) -> None:
    with suppress(DataError):
        yolo('')(folder)
    (folder / 'labels' / 'x.txt').write_text('0 0 0 1 0 1 1', encoding='utf-16')
    read_yolo(folder / 'data.yaml')


@REFUSALS.by(DataError, 'the id 30')
def an_id_of_no_class_of_voc_once_more(folder: Path) -> None:
    with suppress(DataError):  # leaves nothing behind that would be in the way
        voc(np.full((48, 64), 30, np.uint8))(folder)
    convert_voc(folder / 'voc', folder / 'out')


@REFUSALS.by(DataError, 'holds tracks', 'CVAT for images 1.1')
def an_export_of_cvat_for_videos(folder: Path) -> None:
    (folder / 'x.xml').write_text('<annotations><meta/><track id="0" label="car"/></annotations>')
    read_cvat([folder / 'x.xml'], folder)


@REFUSALS.by(DataError, 'no export of CVAT')
def a_voc_file_for_one_of_cvat(folder: Path) -> None:
    (folder / 'x.xml').write_text('<annotation><folder>VOC2012</folder></annotation>')
    read_cvat([folder / 'x.xml'], folder)


@REFUSALS.by(DataError, 'cannot be read as XML')
def a_damaged_export_of_cvat(folder: Path) -> None:
    (folder / 'x.xml').write_text('<annotations>')
    read_cvat([folder / 'x.xml'], folder)


@REFUSALS.by(DataError, 'out: is there already')
def a_folder_that_would_be_written_over(folder: Path) -> None:
    (folder / 'out').mkdir()
    voc(np.zeros((48, 64), np.uint8))(folder)


@REFUSALS.by(DataError, 'has no SegmentationClass/')
def boxes_of_voc_alone(folder: Path) -> None:
    (folder / 'JPEGImages').mkdir()
    convert_voc(folder, folder / 'out')
