"""Federated labels: lists of images that are none, or say otherwise than the annotations."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmseg.structures import SegDataSample
from PIL import Image
from refusals import Refusals

from mmlmseg.datasets import InstanceDataset, MultiDataset, PanopticDataset
from mmlmseg.errors import DataError, LabelSpaceError, OptionError
from mmlmseg.evaluation import InstanceAP
from mmlmseg.segments import MaskSet

REFUSALS = Refusals()
Change = Callable[[dict[str, Any]], Any]

CONTENT: dict[str, Any] = dict(
    images=[
        dict(id=1, coco_url='http://x.org/a/x.png', height=8, width=8, neg_category_ids=[30]),
        dict(id=2, coco_url='http://x.org/a/y.png', height=8, width=8, neg_category_ids=[20]),
    ],
    annotations=[dict(id=1, image_id=1, category_id=20, segmentation=[[1, 1, 5, 1, 5, 5]])],
    categories=[
        dict(id=20, name='car', frequency='r'),
        dict(id=30, name='dog', frequency='f'),
        dict(id=40, name='cow'),
    ],
)


def lists(what: str, change: Change, *words: str, error: type[Exception] = DataError, **options: Any) -> None:
    """Adds a row: a federated file, changed so that it is wrong."""

    def read(folder: Path) -> None:
        changed = copy.deepcopy(CONTENT)
        change(changed)
        (folder / 'lvis.json').write_text(json.dumps(changed))
        (folder / 'a').mkdir()
        for name in ('x', 'y'):
            Image.new('RGB', (8, 8)).save(folder / f'a/{name}.png')
        InstanceDataset(ann_file='lvis.json', data_root=str(folder), pipeline=[], **options)

    read.__name__ = what
    REFUSALS.by(error, 'lvis.json: ', *words)(read)


def image(**values: Any) -> Change:
    return lambda c: c['images'][1].update(values)


def category(**values: Any) -> Change:
    return lambda c: c['categories'][0].update(values)


negative = "'neg_category_ids'"
lists(
    'a_list_of_some_images_only', lambda c: c['images'][1].pop('neg_category_ids'), 'images[1]', f'no {negative}', '[]'
)
lists(
    'a_list_that_is_exhaustive_only_in_part_of_no_list',
    lambda c: [one.update(not_exhaustive_category_ids=one.pop('neg_category_ids')) for one in c['images']],
    'images[0]: has no',
    negative,
)
lists('a_number_for_a_list', image(neg_category_ids=20), 'images[1]', f'{negative} is 20', 'a list of category ids')
lists('null_for_a_list', image(neg_category_ids=None), 'images[1]', f'{negative} is null')
lists('an_object_for_a_list', image(neg_category_ids={'20': 1}), 'images[1]', f'{negative} is {{"20": 1}}')
lists('an_unknown_id', image(neg_category_ids=[20, 77]), 'images[1]', f'{negative} names 77', 'no category of the file')
lists('a_name_for_an_id', image(neg_category_ids=['car']), 'images[1]', f'{negative} names "car"')
lists('an_id_as_text', image(neg_category_ids=['20']), 'images[1]', f'{negative} names "20"')
lists('an_id_as_fraction', image(neg_category_ids=[20.0]), 'images[1]', f'{negative} names 20.0')
lists('a_list_of_lists', image(neg_category_ids=[[20]]), 'images[1]', f'{negative} names [20]')
lists(
    'an_unknown_id_that_is_not_exhaustive', image(not_exhaustive_category_ids=[5]), 'images[1]', "'not_exh", 'names 5'
)
lists('a_number_that_is_not_exhaustive', image(not_exhaustive_category_ids=20), 'images[1]', 'must be a list')
lists('an_unknown_id_that_is_positive', image(pos_category_ids=[5]), 'images[1]', "'pos_category_ids' names 5")
lists(
    'absent_and_annotated',
    lambda c: c['images'][0].update(neg_category_ids=[30, 20]),
    'images[0]',
    "no 'car' (20)",
    'annotations mark some',
    'take it out',
)
lists(
    'absent_and_not_exhaustive', image(not_exhaustive_category_ids=[20]), 'images[1]', "no 'car' (20)", 'some are there'
)
lists(
    'absent_and_positive', image(pos_category_ids=[20]), 'images[1]', "no 'car' (20)", "'pos_category_ids' has it too"
)
lists('an_unknown_frequency', category(frequency='rare'), 'categories[0]', '\'frequency\' is "rare"', 'r (rare)')
lists('synonyms_as_text', category(synonyms='auto'), 'synonyms of', '"auto"', error=LabelSpaceError)
lists('synonyms_of_numbers', category(synonyms=[3]), 'synonyms of', '3', error=LabelSpaceError)
lists(
    'a_class_where_nobody_looked',
    lambda c: None,
    "rest='road'",
    'labelled for some classes only',
    "'ignore'",
    error=OptionError,
    rest='road',
)


@REFUSALS.by(DataError, 'p.json: ', "'neg_category_ids'", 'every pixel has a class', 'mmlmseg.InstanceDataset')
def lists_of_a_panoptic_file(folder: Path) -> None:
    segments = dict(image_id=1, file_name='x.png', segments_info=[])
    (folder / 'p.json').write_text(json.dumps({**CONTENT, 'annotations': [segments]}))
    PanopticDataset(ann_file='p.json', data_root=str(folder), pipeline=[])


@REFUSALS.by(DataError, "dataset 'lvis': RandomMosaic", 'puts several images together', 'leave it out')
def a_mosaic_of_images_with_other_lists(folder: Path) -> None:
    (folder / 'lvis.json').write_text(json.dumps(CONTENT))
    (folder / 'a').mkdir()
    for name in ('x', 'y'):
        Image.new('RGB', (8, 8)).save(folder / f'a/{name}.png')
    inner = dict(
        type='mmlmseg.InstanceDataset',
        ann_file='lvis.json',
        data_root=str(folder),
        metainfo=dict(label_space='lvis'),
        pipeline=[dict(type='mmseg.LoadImageFromFile'), dict(type='mmlmseg.LoadSegments')],
    )
    steps = [dict(type='mmseg.RandomMosaic', prob=1.0, img_scale=(8, 8)), dict(type='mmseg.PackSegInputs')]
    mixed = dict(type='mmseg.MultiImageMixDataset', dataset=inner, pipeline=steps)
    MultiDataset([dict(type='RepeatDataset', dataset=mixed, times=2)])


@REFUSALS.by(DataError, 'a.png', 'does not say for which', 'mmlmseg.PackSegments')
def a_sample_that_lost_its_list(folder: Path) -> None:
    metric = InstanceAP()
    metric.dataset_meta = dict(classes=['car'], is_thing=[True], federated=True)
    nothing = MaskSet(torch.zeros(0, 4, 4).bool(), torch.zeros(0).long(), scores=torch.zeros(0))
    sample = SegDataSample(metainfo=dict(img_path='a.png'))
    metric.process({}, [dict(sample.to_dict(), gt_segments=nothing, pred_instances=nothing)])
