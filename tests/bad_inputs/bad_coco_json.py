"""Annotation files in COCO's panoptic and instance formats."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from refusals import Refusals

from mmlmseg.datasets import InstanceDataset, PanopticDataset
from mmlmseg.errors import DataError, LabelSpaceError

REFUSALS = Refusals()
Change = Callable[[dict[str, Any]], Any]

PANOPTIC: dict[str, Any] = dict(
    images=[dict(id=1, file_name='x.png', height=8, width=8)],
    annotations=[dict(image_id=1, file_name='x.png', segments_info=[dict(id=1, category_id=10, iscrowd=0)])],
    categories=[dict(id=10, name='road', isthing=0), dict(id=20, name='car', isthing=1)],
)
OBJECTS: dict[str, Any] = dict(
    images=PANOPTIC['images'],
    annotations=[dict(id=1, image_id=1, category_id=20, segmentation=[[1, 1, 5, 1, 5, 5]], iscrowd=0)],
    categories=[dict(id=20, name='car')],
)


def refused(what: str, content: dict[str, Any], kind: Any, error: type[Exception], change: Change, *words: str) -> None:
    """Adds a row: a file of a format, changed so that it is wrong."""

    def read(folder: Path) -> None:
        changed = copy.deepcopy(content)
        change(changed)
        (folder / 'annotations.json').write_text(json.dumps(changed))
        Image.new('RGB', (8, 8)).save(folder / 'x.png')
        kind(ann_file='annotations.json', data_root=str(folder), pipeline=[])

    read.__name__ = what
    REFUSALS.by(error, 'annotations.json: ', *words)(read)


def panoptic(what: str, error: type[Exception], change: Change, *words: str) -> None:
    refused(what, PANOPTIC, PanopticDataset, error, change, *words)


def objects(what: str, change: Change, *words: str, error: type[Exception] = DataError) -> None:
    refused(what, OBJECTS, InstanceDataset, error, change, *words)


def segment(**values: Any) -> Change:
    return lambda c: c['annotations'][0]['segments_info'][0].update(values)


def annotation(**values: Any) -> Change:
    return lambda c: c['annotations'][0].update(values)


def category(**values: Any) -> Change:
    return lambda c: c['categories'][0].update(values)


panoptic('isthing_as_text', LabelSpaceError, category(isthing='0'), 'categories[0]', '"isthing" of \'road\' is "0"')
panoptic('iscrowd_as_text', DataError, segment(iscrowd='0'), 'x.png: segments_info[0]', '\'iscrowd\' is "0"', '0 or 1')
panoptic('a_category_without_name', LabelSpaceError, category(name=None), 'entry 0 is null')
panoptic('a_colour_as_text', LabelSpaceError, lambda c: [a.update(color='red') for a in c['categories']], '"red"')
panoptic('categories_of_one_name', LabelSpaceError, category(name='Car'), "'Car' and 'car' both mean 'car'")
panoptic('categories_of_one_id', LabelSpaceError, category(id=20), 'several categories have the id 20')
panoptic('a_list_as_id', DataError, annotation(image_id=[1]), 'annotations[0]', "'image_id' is [1]")
panoptic('an_image_that_is_null', DataError, lambda c: c['images'].append(None), 'images[1] is null')
panoptic('segments_that_are_null', DataError, annotation(segments_info=None), 'segments_info is null', 'a list')
panoptic('a_file_name_that_is_null', DataError, annotation(file_name=None), "'file_name' is null")
panoptic('an_unknown_category', DataError, segment(category_id=7), 'category_id 7 is no category')
panoptic('no_images', DataError, lambda c: c.update(images=[], annotations=[]), 'lists no images')

objects('boxes_alone', annotation(segmentation=[]), "annotations[0]: 'segmentation' is []", 'polygon')
objects('a_polygon_of_two_points', annotation(segmentation=[[1, 1, 5, 5]]), 'annotations[0]', '[1, 1, 5, 5]', 'three')
objects('a_polygon_of_words', annotation(segmentation=[[1, 1, 5, 1, 5, 'b']]), 'annotations[0]', 'numbers only')
objects('a_mask_of_another_size', annotation(segmentation=dict(size=[4, 4], counts=[16])), 'size [4, 4]', '[8, 8]')
objects('run_lengths_that_end_early', annotation(segmentation=dict(size=[8, 8], counts=[60])), 'the sum 64')
objects('an_image_that_is_not_listed', annotation(image_id=3), 'annotations[0]: image 3 is not listed')
objects('a_category_that_is_not_listed', annotation(category_id=3), 'annotations[0]: its category_id 3')
objects('an_image_without_size', lambda c: c['images'][0].pop('height'), 'images[0]', "no 'height'")
objects('a_panoptic_file', annotation(segments_info=[]), 'PanopticDataset')


@REFUSALS.by(DataError, 'a.json', 'cannot be read', 'panoptic annotations')
def a_folder_in_the_place_of_the_file(folder: Path) -> None:
    (folder / 'a.json').mkdir()
    PanopticDataset(ann_file='a.json', data_root=str(folder))


@REFUSALS.by(LabelSpaceError, "things name the unknown class 'cra'", 'Did you mean: car?')
def things_of_a_config_that_are_no_class(folder: Path) -> None:
    (folder / 'annotations.json').write_text(json.dumps(PANOPTIC))
    PanopticDataset(ann_file='annotations.json', data_root=str(folder), metainfo=dict(thing_classes=['cra']))


@REFUSALS.by(DataError, "data_prefix has 'img'", 'img_path, seg_map_path')
def a_prefix_by_the_name_of_another_project(folder: Path) -> None:
    (folder / 'annotations.json').write_text(json.dumps(PANOPTIC))
    PanopticDataset(ann_file='annotations.json', data_root=str(folder), data_prefix=dict(img='images'))
