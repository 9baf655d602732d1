"""Federated labels in annotation files: LVIS' layout, and which classes of an image it tells something of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmlmseg.datasets import MultiDataset
from mmlmseg.federated import not_exhaustive_columns, searched_columns
from mmlmseg.label_space import LabelSpace
from mmlmseg.registry import DATASETS

SQUARE = [[4, 4, 12, 4, 12, 12, 4, 12]]
PIPELINE = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments'), dict(type='mmlmseg.PackSegments')]
Make = Callable[..., dict[str, Any]]


@pytest.fixture
def make_lvis(tmp_path: Path) -> Make:
    """A factory of datasets in LVIS' layout, whose file may be changed before."""

    def make(change: Callable[[dict[str, Any]], Any] = lambda content: None, **more: Any) -> dict[str, Any]:
        def image(number: int, **lists: list[int]) -> dict[str, Any]:
            url = f'http://images.example.org/train2017/{number:012}.png'
            return dict(id=number, coco_url=url, height=24, width=32, **lists)

        def category(number: int, name: str, frequency: str, *synonyms: str) -> dict[str, Any]:
            own = dict(id=number, name=name, frequency=frequency, synset=f'{name}.n.01', synonyms=[name, *synonyms])
            return {**own, 'def': f'a {name}', 'image_count': 3, 'instance_count': 4}

        content = dict(
            images=[
                image(9, neg_category_ids=[3], not_exhaustive_category_ids=[1]),
                image(42, neg_category_ids=[1, 4], not_exhaustive_category_ids=[2]),
                image(7, neg_category_ids=[], not_exhaustive_category_ids=[]),
            ],
            annotations=[
                dict(id=1, image_id=9, category_id=1, segmentation=SQUARE, area=64, bbox=[4, 4, 8, 8]),
                dict(id=2, image_id=9, category_id=2, segmentation=SQUARE, area=64, bbox=[4, 4, 8, 8]),
                dict(id=3, image_id=42, category_id=3, segmentation=SQUARE, area=64, bbox=[4, 4, 8, 8]),
            ],
            categories=[
                category(1, 'bow_(weapon)', 'r'),
                category(2, 'aerosol_can', 'c', 'spray_can'),
                category(3, 'alligator', 'f', 'gator'),
                category(4, 'bow_(decorative_ribbons)', 'f'),
            ],
        )
        change(content)
        (tmp_path / 'lvis_v1_train.json').write_text(json.dumps(content))
        (tmp_path / 'train2017').mkdir(exist_ok=True)
        for own in content['images']:
            name = own.get('file_name') or '/'.join(own['coco_url'].split('/')[-2:])
            cv2.imwrite(str(tmp_path / name), np.zeros((24, 32, 3), np.uint8))
        config = dict(type='mmlmseg.InstanceDataset', ann_file='lvis_v1_train.json', data_root=str(tmp_path))
        return {**config, 'metainfo': dict(label_space='lvis'), 'pipeline': list(PIPELINE), **more}

    return make


def lists(dataset: MultiDataset) -> dict[int, tuple[tuple[int, ...], tuple[int, ...]]]:
    """The classes that were looked for and those that are marked in part, by the id of the image."""
    samples = [dataset[i]['data_samples'] for i in range(len(dataset))]
    return {one.image_id: (one.federated['labels'], one.federated['not_exhaustive']) for one in samples}


def test_an_image_knows_what_was_looked_for(make_lvis: Make) -> None:
    dataset = MultiDataset([make_lvis()])
    # Of image 42, nothing of category 2 is marked: what is there but unmarked is as what nobody looked for.
    assert lists(dataset) == {9: ((0, 1, 2), (0,)), 42: ((0, 2, 3), ()), 7: ((), ())}
    known = dataset.metainfo['datasets']['lvis']
    assert known['frequency'] == ['r', 'c', 'f', 'f']
    assert known['federated'] is True
    metas = [dataset[i]['data_samples'].metainfo for i in range(2)]
    assert searched_columns(metas, 5).int().tolist() == [[1, 1, 1, 0, 0], [1, 0, 1, 1, 0]]
    assert not_exhaustive_columns(metas, 4).int().tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]


def test_names_are_read_as_words_with_their_synonyms(make_lvis: Make, tmp_path: Path) -> None:
    space = DATASETS.build(make_lvis()).space
    assert space.classes[0] == 'bow_(weapon)'
    assert space.names == ('bow (weapon)', 'aerosol can', 'alligator', 'bow (decorative ribbons)')
    assert space.synonyms == ((), ('spray can',), ('gator',), ())
    assert LabelSpace.from_config(dict(path=str(tmp_path / 'lvis_v1_train.json'), name='lvis')) == space
    named = dict(label_space='lvis', synonyms={'alligator': ['caiman']})
    assert DATASETS.build(make_lvis(metainfo=named)).space.synonyms == ((), (), ('caiman',), ())


def test_the_order_of_the_classes_may_be_another(make_lvis: Make) -> None:
    """And those without an object may be left out, of the lists too."""
    names = ['alligator', 'aerosol can', 'Bow (weapon)']
    dataset = MultiDataset([make_lvis(metainfo=dict(label_space='lvis', classes=names))])
    assert lists(dataset) == {9: ((0, 1, 2), (2,)), 42: ((0, 2), ()), 7: ((), ())}
    assert dataset.metainfo['datasets']['lvis']['frequency'] == ['f', 'c', 'r']


@pytest.mark.parametrize(
    'pack', [dict(type='mmlmseg.PackSegments', meta_keys=('img_path',)), dict(type='mmseg.PackSegInputs')]
)
def test_lists_pass_crops_and_whatever_packs(make_lvis: Make, pack: dict[str, Any]) -> None:
    steps = [*PIPELINE[:2], dict(type='mmlmseg.RandomCrop', crop_size=(8, 8)), dict(type='RandomFlip', prob=1.0), pack]
    sample = MultiDataset([make_lvis(pipeline=steps)])[0]['data_samples']
    assert sample.federated == dict(labels=(0, 1, 2), not_exhaustive=(0,))


def test_crowds_are_marks_too(make_lvis: Make) -> None:
    dataset = MultiDataset([make_lvis(lambda c: c['annotations'][1].update(iscrowd=1))])
    assert lists(dataset)[9][0] == (0, 1, 2)


def test_positive_lists_alone_mark_nothing(make_lvis: Make) -> None:
    """As in files made of OpenImages: a class that is verified to be there, but has no mask."""

    def change(content: dict[str, Any]) -> None:
        for image in content['images']:
            del image['not_exhaustive_category_ids']
        content['images'][2].update(neg_category_ids=[1, 1], pos_category_ids=[3])

    assert lists(MultiDataset([make_lvis(change)]))[7] == ((0,), ())


def test_other_files_are_searched_for_all_classes(make_lvis: Make) -> None:
    def change(content: dict[str, Any]) -> None:
        for image in content['images']:
            del image['neg_category_ids'], image['not_exhaustive_category_ids']
        for category in content['categories']:
            del category['frequency'], category['synonyms']

    dataset = MultiDataset([make_lvis(change)])
    assert 'federated' not in dataset[0]['data_samples'].metainfo
    assert not {'federated', 'frequency'} & dataset.metainfo['datasets']['lvis'].keys()
    assert searched_columns([dataset[0]['data_samples'].metainfo], 4) is None


def test_the_rest_may_be_ignored(make_lvis: Make) -> None:
    sample = MultiDataset([make_lvis(rest='ignore')])[0]['data_samples']
    assert sample.federated['labels'] == (0, 1, 2)
    assert (sample.gt_segments.ids >= 0).all()


@pytest.mark.parametrize('wrapper', ['RepeatDataset', 'ConcatDataset'])
def test_a_dataset_below_wrappers_says_it_too(make_lvis: Make, wrapper: str) -> None:
    inner = make_lvis()
    below = dict(dataset=inner, times=2) if wrapper == 'RepeatDataset' else dict(datasets=[inner, inner])
    dataset = MultiDataset([dict(type=wrapper, **below)])
    known = dataset.metainfo['datasets']['lvis']
    assert known['federated'] is True
    assert known['frequency'] == ['r', 'c', 'f', 'f']


def test_what_images_hold_is_counted_as_before(make_lvis: Make) -> None:
    assert MultiDataset([make_lvis()]).presence[0].images == ((0, 1), (2,), ())


def test_the_names_of_lvis_are_all_different() -> None:
    space = LabelSpace.from_dataset('mmdet.LVISV1Dataset', name='lvis')
    assert space.num_classes == len(set(space.names)) == 1203
    assert not any('_' in name for name in space.names)
