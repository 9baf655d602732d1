from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mmlmseg.datasets import MultiDataset, coco_panoptic
from mmlmseg.datasets.coco_annotations import match_categories
from mmlmseg.datasets.coco_panoptic import annotated_images, read_annotations
from mmlmseg.errors import DataError, LabelSpaceError
from mmlmseg.label_space import LabelSpace
from mmlmseg.registry import DATASETS

MakeCoco = Callable[..., Path]
Pipeline = list[dict[str, Any]]
MIXED_CATEGORIES = (
    dict(id=7, name='road', isthing=0),
    dict(id=30, name='car', isthing=1),
    dict(id=2, name='sky-other-merged', isthing=0),
    dict(id=9, name='person', isthing=1),
)
FOLDERS = dict(img_path='images', seg_map_path='panoptic')
CITYSCAPES = LabelSpace.from_dataset('mmlmseg.CityscapesPanopticDataset')
SPACE = LabelSpace.create(
    'street', ['car', 'road, route', 'traffic-light', 'sky'], synonyms=dict(car=['auto']), things=['car']
)


def config(root: Path, pipeline: Sequence[dict[str, Any]] = (), **more: Any) -> dict[str, Any]:
    base = dict(type='mmlmseg.PanopticDataset', ann_file='panoptic.json', data_root=str(root), data_prefix=FOLDERS)
    return {**base, 'pipeline': list(pipeline), **more}


def assert_truth(sample: Any, root: Path, space: LabelSpace, name_of: dict[int, str] | None = None) -> None:
    """Compares a packed sample with the files, pixel by pixel: classes by their names, segments by their ids."""
    content = json.loads((root / 'panoptic.json').read_text())
    annotation = next(a for a in content['annotations'] if a['image_id'] == sample.image_id)
    names = name_of or {category['id']: category['name'] for category in content['categories']}
    things = {category['id'] for category in content['categories'] if category['isthing']}
    info = {segment['id']: segment for segment in annotation['segments_info']}
    blue, green, red = cv2.imread(str(root / 'panoptic' / annotation['file_name'])).astype(int).transpose(2, 0, 1)
    ids = red + 256 * green + 65536 * blue
    labels, numbers = sample.gt_sem_seg.data[0].numpy(), sample.gt_segments.ids[0].numpy()
    assert labels.shape == numbers.shape == ids.shape
    assert numbers.dtype == np.int32
    meaning: dict[int, set] = {}
    for y, x in np.ndindex(ids.shape):
        segment, number = int(ids[y, x]), int(numbers[y, x])
        if segment == 0:
            assert (labels[y, x], number) == (255, 0)
            continue
        category = info[segment]['category_id']
        assert space.classes[labels[y, x]] == names[category]
        assert sample.gt_segments.labels[number - 1] == labels[y, x]
        assert sample.gt_segments.crowd[number - 1] == bool(info[segment].get('iscrowd'))
        meaning.setdefault(number, set()).add(segment if category in things else 'stuff')
    assert all(len(segments) == 1 for segments in meaning.values())
    assert sorted(meaning) == list(range(1, len(sample.gt_segments.labels) + 1))


def categories(order: Sequence[int], space: LabelSpace = CITYSCAPES) -> list[dict[str, Any]]:
    return [dict(id=50 + i, name=space.classes[i], isthing=int(space.is_thing[i])) for i in order]


def street_categories(*names: str) -> list[dict[str, Any]]:
    return [dict(id=10 - i, name=name, isthing=int(name in ('car', 'auto'))) for i, name in enumerate(names)]


def test_labels_in_the_order_of_the_file(make_coco: MakeCoco, panoptic_pipeline: Pipeline) -> None:
    root = make_coco()
    dataset = MultiDataset([config(root, panoptic_pipeline, metainfo=dict(label_space='mixed'))])
    assert dataset.names == ['mixed']
    space = dataset.spaces[0][0]
    assert space.classes == ('road', 'car', 'sky-other-merged', 'person')
    assert space.is_thing == (False, True, False, True)
    described = dataset.metainfo['datasets']['mixed']
    assert described['category_ids'] == [7, 30, 2, 9]
    assert pickle.loads(pickle.dumps(described)) == described
    for i in range(3):
        sample = dataset[i]['data_samples']
        assert sample.image_id == 100 + i
        assert sample.seg_map_path == str(root / 'panoptic' / f'{i}.png')
        assert_truth(sample, root, space)


@pytest.mark.parametrize(
    'order',
    [range(19), [*range(11, 19), *range(11)], [*range(0, 19, 2), *range(1, 19, 2)]],
    ids=['stuff first', 'things first', 'mixed'],
)
def test_labels_of_the_declared_space(make_coco: MakeCoco, panoptic_pipeline: Pipeline, order: Sequence[int]) -> None:
    root = make_coco(categories=categories(order))
    dataset = MultiDataset([config(root, panoptic_pipeline, type='mmlmseg.CityscapesPanopticDataset')])
    assert dataset.spaces == [(CITYSCAPES,)]
    assert dataset.metainfo['datasets']['cityscapes_panoptic']['category_ids'] == list(range(50, 69))
    for i in range(3):
        assert_truth(dataset[i]['data_samples'], root, CITYSCAPES)


def test_the_file_is_read_once(make_coco: MakeCoco, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def count(path: str) -> dict[str, Any]:
        read.append(str(path))
        return read_annotations(path)

    monkeypatch.setattr(coco_panoptic, 'read_annotations', count)
    root = make_coco()
    dataset = DATASETS.build(config(root, lazy_init=True))
    assert dataset.space.num_classes == 4
    assert len(dataset) == 3
    assert read == [str(root / 'panoptic.json')]
    DATASETS.build(config(root, lazy_init=True, type='mmlmseg.CityscapesPanopticDataset'))
    assert len(read) == 1  # METAINFO says it all


def test_a_model_names_the_same_space(make_coco: MakeCoco) -> None:
    root = make_coco()
    dataset = DATASETS.build(config(root, metainfo=dict(label_space='mine')))
    assert dataset.metainfo['label_space'] == 'mine'
    assert LabelSpace.from_config(dict(path=root / 'panoptic.json', name='mine')) == dataset.space
    named = [
        LabelSpace.from_config(dict(dataset=f'mmlmseg.{name}PanopticDataset'))
        for name in ('COCO', 'ADE20K', 'Cityscapes')
    ]
    assert [space.name for space in named] == ['coco_panoptic', 'ade20k_panoptic', 'cityscapes_panoptic']
    assert [(space.num_classes, sum(space.is_thing)) for space in named] == [(133, 80), (150, 100), (19, 8)]
    assert named[2].is_thing == (False,) * 11 + (True,) * 8
    repeated = dict(type='RepeatDataset', times=2, dataset=config(root, metainfo=dict(label_space='mine')))
    assert MultiDataset([repeated]).spaces[0][0].classes == dataset.space.classes


def test_classes_of_the_config(make_coco: MakeCoco, panoptic_pipeline: Pipeline) -> None:
    root = make_coco()
    classes, things = ['person', 'sky', 'car, automobile', 'road'], ['person', 'car, automobile']
    metainfo = dict(classes=classes, thing_classes=things, label_space='four', licence='x')
    dataset = DATASETS.build(config(root, panoptic_pipeline, metainfo=metainfo))
    assert dataset.space == LabelSpace.create('four', classes, things=things)
    assert dataset.metainfo['category_ids'] == [9, 2, 30, 7]
    assert dataset.metainfo['licence'] == 'x'
    name_of = {9: 'person', 2: 'sky', 30: 'car, automobile', 7: 'road'}
    for i in range(3):
        assert_truth(dataset[i]['data_samples'], root, dataset.space, name_of)
    with pytest.raises(LabelSpaceError, match=r"'car' is a thing \(isthing\), but stuff in"):
        DATASETS.build(config(root, metainfo=dict(classes=classes, thing_classes=['person'])))
    with pytest.raises(LabelSpaceError, match=r"panoptic\.json: the category 'car' is a thing"):
        DATASETS.build(config(root, metainfo=dict(thing_classes=['person'])))
    with pytest.raises(LabelSpaceError, match=r'panoptic\.json: 3 of 4 categories .*: car, sky-other-merged, person\.'):
        DATASETS.build(config(root, metainfo=dict(classes=['road', 'cat'])))


def _change(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        content = json.loads((root / 'panoptic.json').read_text())
        change(content)
        (root / 'panoptic.json').write_text(json.dumps(content))

    return damage


@pytest.mark.parametrize(
    ('damage', 'error', 'message'),
    [
        (lambda root: (root / 'images/1.jpg').unlink(), DataError, r'images/1\.jpg is missing \(1 of 3 are\)'),
        (lambda root: (root / 'panoptic/2.png').unlink(), DataError, r'PNG .*panoptic/2\.png is missing.*data_prefix'),
        (lambda root: (root / 'panoptic').rename(root / 'png'), DataError, r'panoptic/0\.png is missing \(3 of 3'),
        (lambda root: (root / 'panoptic.json').unlink(), DataError, r'panoptic\.json: no such file'),
        (_change(lambda c: c['images'].pop()), DataError, r'panoptic\.json: 1 annotations are of images that'),
        (
            _change(lambda c: c['categories'].pop()),
            DataError,
            r'panoptic\.json: images\[.*image .* is no category of the file',
        ),
        (
            _change(lambda c: c['categories'][0].pop('isthing')),
            LabelSpaceError,
            r'panoptic\.json: categories\[0\]: the category .* needs',
        ),
        (_change(lambda c: c.pop('images')), DataError, r"panoptic\.json: has no list 'images'"),
    ],
)
def test_bad_sets(make_coco: MakeCoco, damage: Callable[[Path], None], error: type[Exception], message: str) -> None:
    root = make_coco()
    damage(root)
    with pytest.raises(error, match=message):
        DATASETS.build(config(root))


def _swap_png(root: Path) -> None:
    (root / 'panoptic/0.png').write_bytes((root / 'panoptic/1.png').read_bytes())


def _paint(size: tuple[int, int, int]) -> Callable[[Path], None]:
    return lambda root: cv2.imwrite(str(root / 'panoptic/0.png'), np.zeros(size, np.uint8)) and None


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (_swap_png, r"dataset 'mixed', sample 0: .*0\.png: the PNG holds segment \d+.*, which the annotation lacks"),
        (_paint((24, 32, 3)), r'0\.png: the PNG lacks segment \d+'),
        (_paint((24, 32, 1)), r'0\.png: is grey with 8 bits'),
        (lambda root: (root / 'panoptic/0.png').write_bytes(b'x'), r'0\.png: is no PNG'),
        (lambda root: (root / 'images/0.jpg').write_bytes(b'x'), r'cannot be read as an image: .*0\.jpg'),
    ],
)
def test_bad_samples(
    make_coco: MakeCoco, panoptic_pipeline: Pipeline, damage: Callable[[Path], None], message: str
) -> None:
    root = make_coco()
    dataset = MultiDataset([config(root, panoptic_pipeline, metainfo=dict(label_space='mixed'))])
    damage(root)
    with pytest.raises(DataError, match=message):
        dataset[0]


def test_an_image_of_another_size(make_coco: MakeCoco, panoptic_pipeline: Pipeline) -> None:
    root = make_coco()
    cv2.imwrite(str(root / 'images/0.jpg'), np.zeros((12, 16, 3), np.uint8))
    with pytest.raises(DataError, match=r'image 12x16, label 24x32'):
        DATASETS.build(config(root, panoptic_pipeline))[0]


def test_loading_as_plain_labels_names_the_way_out(make_coco: MakeCoco, pipeline: Pipeline) -> None:
    dataset = MultiDataset([config(make_coco(), pipeline)])
    with pytest.raises(DataError, match=r'\(24, 32, 3\).*need mmlmseg\.LoadSegments'):
        dataset[0]


@pytest.mark.parametrize('kind', ['COCOPanopticDataset', 'PanopticDataset'])
def test_real_files(shared_data: Path, tmp_path: Path, panoptic_pipeline: Pipeline, kind: str) -> None:
    sample_folder = shared_data / 'coco_panoptic_sample'
    root = tmp_path / 'coco'  # the names that the comparison reads
    root.mkdir()
    (root / 'panoptic.json').symlink_to(sample_folder / 'panoptic_examples.json')
    (root / 'panoptic').symlink_to(sample_folder / 'panoptic_examples')
    (root / 'images').symlink_to(sample_folder / 'input_images')
    dataset = DATASETS.build(config(root, panoptic_pipeline, type=f'mmlmseg.{kind}'))
    assert dataset.space.classes == LabelSpace.from_dataset('mmlmseg.COCOPanopticDataset').classes
    assert dataset.space.is_thing == (True,) * 80 + (False,) * 53
    assert len(dataset) == 2
    crowds = 0
    for i in range(2):
        sample = dataset[i]['data_samples']
        assert_truth(sample, root, dataset.space)
        truth = sample.gt_segments
        areas = torch.bincount(truth.ids.flatten().long(), minlength=len(truth.labels) + 1)[1:].tolist()
        content = json.loads((root / 'panoptic.json').read_text())
        annotation = next(a for a in content['annotations'] if a['image_id'] == sample.image_id)
        assert sorted(areas) == sorted(segment['area'] for segment in annotation['segments_info'])
        crowds += int(truth.crowd.sum())
    assert crowds == sum(s['iscrowd'] for a in content['annotations'] for s in a['segments_info']) > 0


@pytest.mark.parametrize(
    ('names', 'labels'),
    [
        (['car', 'road, route', 'traffic-light', 'sky'], [0, 1, 2, 3]),
        (['sky', 'traffic light', 'road', 'car'], [3, 2, 1, 0]),  # stuff first
        (['Sky-other-merged', 'car', 'Road_', 'traffic_light'], [3, 0, 1, 2]),  # mixed, other spelling
        (['route', 'auto', 'sky', 'traffic light'], [1, 0, 3, 2]),  # synonyms, of the name and of the space
        (['avenue, route', 'sky', 'auto', 'traffic light'], [1, 3, 0, 2]),
    ],
)
def test_categories_match_by_name(names: list[str], labels: list[int]) -> None:
    assert match_categories(street_categories(*names), SPACE) == {10 - i: label for i, label in enumerate(labels)}


def test_main_names_go_before_synonyms() -> None:
    space = LabelSpace.create('x', ['blind, screen', 'screen', 'screen door, screen'])
    names = ['screen', 'screen door', 'blind, screen']
    assert list(match_categories(street_categories(*names), space).values()) == [1, 2, 0]


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['car', 'road', 'trafic light', 'sky'], r"1 of 4 categories are no class .*'street': trafic light\. Did you"),
        (['car', 'road', 'sky'], r'1 of 4 classes .* are no category: traffic-light\.'),
        (['car', 'road', 'traffic light', 'sky', 'tram'], r'1 of 5 categories are no class .*: tram\.'),
        (['car', 'road', 'traffic light', 'Sky', 'sky'], r"'Sky' and 'sky' both mean"),
    ],
)
def test_categories_without_counterpart(names: list[str], message: str) -> None:
    with pytest.raises(LabelSpaceError, match=message):
        match_categories(street_categories(*names), SPACE)


def test_bad_categories() -> None:
    good = street_categories('car', 'road', 'traffic light', 'sky')
    with pytest.raises(LabelSpaceError, match=r"'sky' is a thing \(isthing\), but stuff in the label space 'street'"):
        match_categories([*good[:3], {**good[3], 'isthing': 1}], SPACE)
    two = LabelSpace.create('two', SPACE.classes, things=['car', 'traffic-light'])
    with pytest.raises(LabelSpaceError, match=r"'traffic light' is stuff \(isthing\), but a thing in"):
        match_categories(good, two)
    with pytest.raises(LabelSpaceError, match='several categories have the id 10'):
        match_categories([*good[:3], {**good[3], 'id': 10}], SPACE)
    with pytest.raises(LabelSpaceError, match=r'needs id, name, isthing; is this a panoptic file'):
        match_categories([dict(id=1, name='car')], SPACE)


def test_images_with_their_segments(make_coco: MakeCoco) -> None:
    content = read_annotations(make_coco() / 'panoptic.json')
    found = annotated_images(content, {2: 0, 7: 1, 9: 2, 30: 3})
    assert [image.image_id for image in found] == [100, 101, 102]
    assert [image.image for image in found] == ['0.jpg', '1.jpg', '2.jpg']
    assert [image.png for image in found] == ['0.png', '1.png', '2.png']
    first = next(a for a in content['annotations'] if a['image_id'] == 100)['segments_info'][0]
    assert found[0].segments[0] == (first['id'], {2: 0, 7: 1, 9: 2, 30: 3}[first['category_id']], first['iscrowd'] == 1)


def _segment(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content['annotations'][0]['segments_info'][0].update(changes)


def _double_segment(content: dict[str, Any]) -> None:
    segments = content['annotations'][0]['segments_info']
    segments.append(copy.deepcopy(segments[0]))


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (
            _segment(category_id=77),
            r'images\[2\]: image 2\.jpg: segments_info\[0\]: segment \d+: its category_id 77 is no category',
        ),
        (_segment(id=0), r'image 2\.jpg: segments_info\[0\]: segment id 0 is no number of 1\.\.16777215'),
        (_segment(id=256**3), r'segment id 16777216 is no number'),
        (_segment(id='7'), r'segment id "7" is no number'),
        (_double_segment, r'image 2\.jpg: segments_info\[\d+\]: two segments have the id \d+'),
        (lambda c: c['annotations'][0]['segments_info'][0].pop('category_id'), r"has no 'category_id'"),
        (lambda c: c['images'][1].pop('file_name'), r"has no 'file_name'"),
        (lambda c: c['images'].append(dict(id=5, file_name='x.jpg')), r'image 5 \(x\.jpg\) has no annotation'),
        (lambda c: c['images'].append(c['images'][0]), r'image 100 \(0\.jpg\) has no annotation, or is listed twice'),
        (lambda c: c['images'].pop(), r'1 annotations are of images that the file does not list.* image 102'),
        (lambda c: c['annotations'].append(dict(c['annotations'][1])), r'image 101 is annotated twice'),
    ],
)
def test_bad_annotations(make_coco: MakeCoco, damage: Callable[[dict], Any], message: str) -> None:
    content = read_annotations(make_coco() / 'panoptic.json')
    damage(content)
    with pytest.raises(DataError, match=message):
        annotated_images(content, {2: 0, 7: 1, 9: 2, 30: 3})


def test_bad_files(tmp_path: Path) -> None:
    file = tmp_path / 'a.json'
    with pytest.raises(DataError, match=r'a\.json: no such file; ann_file must be'):
        read_annotations(file)
    file.write_text('{"images": [')
    with pytest.raises(DataError, match=r'a\.json: not valid JSON'):
        read_annotations(file)
    for content in ([], dict(images=[], annotations=[])):
        file.write_text(json.dumps(content))
        with pytest.raises(DataError, match=r"a\.json: has no list '(images|categories)'"):
            read_annotations(file)
    file.write_text(json.dumps(dict(images=[], annotations=[dict(image_id=1, bbox=[])], categories=[])))
    with pytest.raises(DataError, match=r'without "segments_info"; take panoptic_\*\.json'):
        read_annotations(file)


def test_a_file_without_things_leaves_them_to_the_config(
    make_coco: MakeCoco, panoptic_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(coco_panoptic, 'print_log', lambda message, *_: told.append(message))
    root = make_coco(categories=[{**category, 'isthing': 0} for category in MIXED_CATEGORIES])
    united = DATASETS.build(config(root, panoptic_pipeline))
    assert united.space.things == ()
    assert len(told) == 1
    assert 'calls no category a thing' in told[0]
    named = DATASETS.build(config(root, panoptic_pipeline, metainfo=dict(thing_classes=['car', 'person'])))
    assert named.space.things == ('car', 'person')
    assert len(told) == 1
    things = {named.space.classes.index(name) for name in named.space.things}
    content = json.loads((root / 'panoptic.json').read_text())
    for i in range(3):
        described = next(a for a in content['annotations'] if a['image_id'] == 100 + i)['segments_info']
        ids = {category['id']: label for label, category in enumerate(MIXED_CATEGORIES)}
        wanted = sorted(ids[s['category_id']] for s in described if ids[s['category_id']] in things)
        labels = named[i]['data_samples'].gt_segments.labels.tolist()
        assert sorted(label for label in labels if label in things) == wanted


def test_the_files_of_cityscapesscripts(make_coco: MakeCoco, panoptic_pipeline: Pipeline) -> None:
    root, stem = make_coco(categories=categories(range(19)), images=1), 'aachen_000000_000019'
    content = json.loads((root / 'panoptic.json').read_text())
    content['images'] = [dict(id=stem, file_name=f'{stem}_gtFine_leftImg8bit.png')]
    content['annotations'][0]['image_id'] = stem
    (root / 'panoptic.json').write_text(json.dumps(content))
    (root / 'images/aachen').mkdir()
    (root / 'images/0.jpg').rename(root / f'images/aachen/{stem}_leftImg8bit.png')
    dataset = DATASETS.build(config(root, panoptic_pipeline, type='mmlmseg.CityscapesPanopticDataset'))
    assert_truth(dataset[0]['data_samples'], root, CITYSCAPES)


def test_ade20k_of_either_converter() -> None:
    space = LabelSpace.from_dataset('mmlmseg.ADE20KPanopticDataset')
    plane = space.classes.index('airplane')
    names = [*space.classes[:plane], 'plane', *space.classes[plane + 1 :]]
    listed = [dict(id=i, name=name, isthing=int(space.is_thing[i])) for i, name in enumerate(names)]
    assert match_categories(listed, space) == {i: i for i in range(150)}


def test_what_a_config_gives_must_fit(make_coco: MakeCoco) -> None:
    root = make_coco()
    with pytest.raises(LabelSpaceError, match=r"things name the unknown class 'cra'\. Did you mean: car"):
        DATASETS.build(config(root, metainfo=dict(thing_classes=['cra', 'person'])))
    with pytest.raises(LabelSpaceError, match='1 colours for 4 classes'):
        DATASETS.build(config(root, metainfo=dict(palette=[[0, 0, 0]])))


def test_images_without_labels_can_be_tested(
    make_coco: Callable[..., Path], panoptic_pipeline: list[dict[str, Any]]
) -> None:
    root = make_coco()
    content = json.loads((root / 'panoptic.json').read_text())
    del content['annotations']
    (root / 'panoptic.json').write_text(json.dumps(content))
    without = [panoptic_pipeline[0], panoptic_pipeline[2]]
    sample = MultiDataset([config(root, pipeline=without)])[0]['data_samples']
    assert sample.image_id == 100
    assert 'gt_segments' not in sample
    with pytest.raises(DataError, match="has no list 'annotations', and the pipeline loads labels"):
        MultiDataset([config(root, pipeline=panoptic_pipeline)])
