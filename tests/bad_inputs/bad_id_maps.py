"""What classes.json says of the values in label maps, and what label maps hold; objects that overlap."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DefaultScope
from PIL import Image
from refusals import Refusals

from mmlmseg.datasets import FolderDataset, InstanceDataset, MultiDataset
from mmlmseg.errors import DataError, LabelSpaceError, OptionError

REFUSALS = Refusals()
ZEROS = np.zeros((8, 8), np.uint16)
CLASSES = ['road', 'car']


def written(folder: Path, **described: Any) -> Path:
    (folder / 'classes.json').write_text(json.dumps(dict(dict(classes=CLASSES), **described)))
    return folder


def reading(
    labels: np.ndarray, suffix: str = '.png', kind: str | None = None, **described: Any
) -> Callable[[Path], None]:
    """Reads a label map by mmseg's own loading step."""

    def read(folder: Path) -> None:
        for part in ('images', 'labels'):
            (folder / part).mkdir()
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / 'images' / 'a.png')
        Image.fromarray(labels).save(folder / 'labels' / f'a{suffix}', kind)
        (folder / 'train.txt').write_text('a')
        steps = [dict(type=step) for step in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')]
        config = dict(type='mmlmseg.FolderDataset', data_root=str(written(folder, **described)), pipeline=steps)
        with DefaultScope.overwrite_default_scope('mmseg'):
            _ = MultiDataset([config])[0]

    return read


TABLES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    'ids_are_a_list': (dict(ids=[7, 8]), ('"ids" is [7, 8]', 'write {"7": "road"')),
    'ids_are_named_by_words': (dict(ids={'seven': 'road'}), ('"ids" has the key "seven"', 'a whole number')),
    'ids_with_leading_zeros': (dict(ids={'07': 'road'}), ('the key "07"',)),
    'ids_with_fractions': (dict(ids={'7.0': 'road'}), ('the key "7.0"',)),
    'an_id_of_an_unknown_class': (dict(ids={'7': 'cars'}), ('"7" is the unknown class', 'Did you mean: car?')),
    'an_id_of_a_number': (dict(ids={'7': 0}), ('"7" is 0', 'the name of a class, or null')),
    'ids_that_are_all_ignored': (dict(ids={'7': None}), ('"ids" names no class',)),
    'ids_and_colours': (dict(ids={'7': 'car'}, colours={'0,0,0': 'car'}), ('"ids" and "colours"', 'keep one')),
    'colours_as_a_palette': (dict(colours=[[0, 0, 0], [1, 1, 1]]), ('"colours" is [[0', 'is the "palette"')),
    'a_colour_of_two_channels': (dict(colours={'1,2': 'car'}), ('the key "1,2"', '"R,G,B"')),
    'a_colour_beyond_255': (dict(colours={'1,2,256': 'car'}), ('the key "1,2,256"', '0 to 255')),
    'a_colour_twice': (dict(colours={'1,2,3': 'car', '1, 2, 3': 'road'}), ('"1, 2, 3" twice',)),
    'colors': (dict(colors={'1,2,3': 'car'}), ("unknown key 'colors'", "write 'colours'")),
}
for _name, (_described, _words) in TABLES.items():

    def _build(folder: Path, described: dict[str, Any] = _described) -> None:
        FolderDataset(written(folder, **described))

    _build.__name__ = _name
    REFUSALS.by(LabelSpaceError, 'classes.json: ', *_words)(_build)


@REFUSALS.by(DataError, 'classes.json: "ignore" is 7, which is "road" by "ids"')
def an_ignored_id_of_a_class(folder: Path) -> None:
    FolderDataset(written(folder, ids={'7': 'road'}, ignore=7))


@REFUSALS.by(DataError, 'classes.json: "ignore" is [9, 1]', 'from 2 to 255')
def an_ignored_id_of_a_class_in_a_list(folder: Path) -> None:
    FolderDataset(written(folder, ignore=[9, 1]))


@REFUSALS.by(DataError, 'classes.json: "ignore" is an id', '{"R,G,B": null}')
def an_ignored_id_beside_colours(folder: Path) -> None:
    FolderDataset(written(folder, colours={'1,2,3': 'road'}, ignore=255))


@REFUSALS.by(OptionError, 'classes.json: reduce_zero_label=True', 'leave the option out')
def ids_that_are_lowered_as_well(folder: Path) -> None:
    FolderDataset(written(folder, ids={'1': 'road'}), reduce_zero_label=True)


@REFUSALS.by(OptionError, "img_suffix='.bmp' is of other datasets", 'of any suffix')
def a_suffix_of_a_folder(folder: Path) -> None:
    FolderDataset(written(folder), img_suffix='.bmp')


@REFUSALS.by(OptionError, 'LoadBiomedicalAnnotation', 'mmlmseg.LoadAnnotations')
def ids_for_a_step_that_knows_none(folder: Path) -> None:
    steps = [dict(type='mmseg.LoadBiomedicalAnnotation')]
    FolderDataset(written(folder, ids={'1': 'road'}), pipeline=steps)


MAPS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    'an_id_that_is_not_named': (reading(ZEROS + 300, ids={'7': 'car'}), ('label id 300', 'or null to ignore it')),
    'a_255_in_a_map_of_16_bits': (reading(ZEROS + 255, ids={'300': 'car'}), ('label id 255 is not named',)),
    'a_colour_that_is_not_named': (
        reading(np.full((8, 8, 3), (9, 8, 7), np.uint8), colours={'1,2,3': 'car'}),
        ('colour 9,8,7 is not named', 'or null to ignore it'),
    ),
    'colours_where_ids_are_named': (
        reading(np.full((8, 8, 3), (9, 8, 7), np.uint8), ids={'7': 'car'}),
        ('holds colours, such as 9,8,7', 'under "colours"'),
    ),
    'ids_where_colours_are_named': (
        reading(ZEROS.astype(np.uint8), colours={'1,2,3': 'car'}),
        ('1 channels of 8 bits', 'under "ids"'),
    ),
    'colours_that_are_transparent': (
        reading(np.full((8, 8, 4), (1, 2, 3, 0), np.uint8), colours={'1,2,3': 'car'}),
        ('transparent in places', 'without alpha'),
    ),
    'a_jpeg_of_colours': (
        reading(np.full((8, 8, 3), (1, 2, 3), np.uint8), kind='JPEG', colours={'1,2,3': 'car'}),
        ('JPEG', 'as PNG'),
    ),
    'fractions_where_ids_are_named': (
        reading(ZEROS + np.float32(1.5), '.tif', ids={'1': 'car'}),
        ('floating-point numbers, such as 1.5',),
    ),
    'an_id_beyond_many_classes': (
        reading(ZEROS + 300, classes=[f'c{i}' for i in range(300)]),
        ('label id 300 is outside the label space', '0..299 and 65535', 'reduce_zero_label=True'),
    ),
}
for _name, (_read, _words) in MAPS.items():
    _read.__name__ = _name
    REFUSALS.by(DataError, 'labels/a.', *_words)(_read)


def objects(folder: Path, change: Callable[[dict[str, Any]], Any] = lambda content: None, **options: Any) -> None:
    """Loads the two objects of an image, which overlap."""
    boxes = [[0, 0, 6, 0, 6, 6, 0, 6], [4, 4, 8, 4, 8, 8, 4, 8]]
    content: dict[str, Any] = dict(
        images=[dict(id=i, file_name='a.png', height=8, width=8) for i in range(2)],
        categories=[dict(id=5, name='cup'), dict(id=6, name='plate')],
        annotations=[dict(id=i, image_id=0, category_id=5 + i, segmentation=[box]) for i, box in enumerate(boxes)],
    )
    change(content)
    (folder / 'a.json').write_text(json.dumps(content))
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / 'a.png')
    steps = [dict(type=step) for step in ('LoadImageFromFile', 'mmlmseg.LoadSegments')]
    _ = InstanceDataset('a.json', data_root=str(folder), pipeline=steps, **options)[0]


OBJECTS: dict[str, tuple[type[Exception], tuple[str, ...], dict[str, Any]]] = {
    'objects_that_overlap': (
        DataError,
        ('annotations[0] (cup) and annotations[1] (plate) overlap in 4 pixels', "'later'"),
        dict(overlaps='error'),
    ),
    'an_unknown_rule_for_overlaps': (OptionError, ("overlaps='larger'", "'smaller'"), dict(overlaps='larger')),
    'a_rest_that_is_no_name': (OptionError, ('rest=0', "'ignore' or the name of a class"), dict(rest=0)),
    'a_rest_that_is_a_thing': (
        OptionError,
        ("rest='plate' is a thing by thing_classes",),
        dict(rest='plate', metainfo=dict(classes=['cup', 'plate'], thing_classes=['plate'])),
    ),
    'objects_whose_ids_are_lowered': (
        OptionError,
        ('reduce_zero_label is set', 'by name'),
        dict(reduce_zero_label=True),
    ),
}
for _name, (_error, _words, _options) in OBJECTS.items():

    def _load(folder: Path, options: dict[str, Any] = _options) -> None:
        objects(folder, **options)

    _load.__name__ = _name
    REFUSALS.by(_error, *_words)(_load)


@REFUSALS.by(DataError, 'a.json: ', 'annotations[1]', 'the id 0 of annotations[0]', 'of several categories')
def parts_of_two_classes(folder: Path) -> None:
    objects(folder, lambda content: content['annotations'][1].update(id=0))


@REFUSALS.by(DataError, 'a.json: ', 'the id 0 of annotations[0]', 'objects of several images')
def one_id_for_all_objects(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        box = content['annotations'][0]['segmentation']
        content['annotations'] = [dict(id=0, image_id=image, category_id=5, segmentation=box) for image in (0, 0, 1)]

    objects(folder, change)
