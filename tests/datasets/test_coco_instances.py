from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from pycocotools import mask as coco
from pycocotools.coco import COCO

from mmlmseg.datasets import MultiDataset, coco_instances
from mmlmseg.datasets.coco_objects import check_segmentation, mask_of
from mmlmseg.errors import DataError, LabelSpaceError
from mmlmseg.evaluation import MultiDatasetEvaluator
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.criterion.targets import read_targets
from mmlmseg.registry import DATASETS, METRICS
from mmlmseg.segments import BACKGROUND, MaskSet, SegmentMap

SIZE = (24, 32)
BOX = [4, 4, 12, 4, 12, 12, 4, 12]
SMALL = [6, 6, 8, 6, 8, 8, 6, 8]
PIPELINE = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments'), dict(type='mmlmseg.PackSegments')]
CONTENT: dict[str, Any] = dict(
    images=[dict(id=i, file_name=f'{i}.jpg', height=SIZE[0], width=SIZE[1]) for i in (5, 3)],
    categories=[dict(id=0, name='parts'), dict(id=9, name='screw'), dict(id=4, name='nut')],
    annotations=[
        dict(id=0, image_id=3, category_id=9, iscrowd=0, segmentation=[SMALL]),
        dict(id=1, image_id=3, category_id=4, iscrowd=0, segmentation=[BOX, [20, 4, 28, 4, 28, 12, 20, 12]]),
        dict(
            id=2,
            image_id=3,
            category_id=9,
            iscrowd=1,
            segmentation=dict(size=[*SIZE], counts=[24 * 10, 24 * 12, 24 * 10]),
        ),
    ],
)


@pytest.fixture
def make_objects(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A factory of instance sets: the config of a dataset, whose file may be changed before."""

    def make(change: Callable[[dict[str, Any]], Any] = lambda content: None, **more: Any) -> dict[str, Any]:
        content = copy.deepcopy(CONTENT)
        change(content)
        (tmp_path / 'instances.json').write_text(json.dumps(content))
        for name in ('3.jpg', '5.jpg'):
            cv2.imwrite(str(tmp_path / name), np.zeros((*SIZE, 3), np.uint8))
        config = dict(type='mmlmseg.InstanceDataset', ann_file='instances.json', data_root=str(tmp_path))
        return {**config, 'metainfo': dict(label_space='parts'), 'pipeline': list(PIPELINE), **more}

    return make


def test_objects_become_segments(make_objects: Callable[..., dict[str, Any]]) -> None:
    dataset = MultiDataset([make_objects()])
    assert dataset.spaces[0][0] == LabelSpace.create(
        'parts', ['parts', 'screw', 'nut'], things=['parts', 'screw', 'nut']
    )
    truth = dataset[1]['data_samples'].gt_segments
    assert truth.labels.tolist() == [1, 2, 1]
    assert truth.crowd.tolist() == [False, False, True]
    ids = truth.ids[0].numpy()
    assert ids[7, 7] == 1  # the small one lies on the large one
    assert ids[5, 5] == ids[5, 21] == 2  # two parts of one object
    assert ids[20, 15] == 3
    assert ids[20, 2] == BACKGROUND
    labels = dataset[1]['data_samples'].gt_sem_seg.data[0].numpy()
    assert (labels[7, 7], labels[5, 5], labels[20, 15], labels[20, 2]) == (1, 2, 1, 255)
    empty = dataset[0]['data_samples']
    assert empty.image_id == 5
    assert not len(empty.gt_segments.labels)
    assert (empty.gt_segments.ids == BACKGROUND).all()
    assert dataset.metainfo['datasets']['parts']['category_ids'] == [0, 9, 4]


@pytest.mark.parametrize('things_only', [False, True])
def test_outside_of_objects_nothing_is_to_be_found(
    make_objects: Callable[..., dict[str, Any]], things_only: bool
) -> None:
    pad = dict(type='Pad', size=(32, 32), pad_val=dict(img=0, seg=255))
    config = make_objects()
    config['pipeline'].insert(2, pad)
    dataset = MultiDataset([config])
    samples = [dataset[i]['data_samples'] for i in range(2)]
    space = dataset.spaces[0][0]
    targets = read_targets(samples, [space] * 2, [range(3)] * 2, things_only)
    assert targets.valid.tolist() == [[False, False], [True, True]]
    assert targets.labels[1].tolist() == [1, 2]
    assert targets.pixels[0, :24].all()
    assert not targets.pixels[:, 24:].any()  # padding counts in no loss
    assert bool(targets.pixels[1, 20, 2])
    assert not targets.pixels[1, 20, 15]  # nor does a crowd
    assert targets.masks[1].sum((1, 2)).tolist() == [4, 2 * 64 - 4]


def test_only_classes_with_objects_are_needed(make_objects: Callable[..., dict[str, Any]]) -> None:
    dataset = DATASETS.build(
        make_objects(metainfo=dict(label_space='s', classes=['nut', 'screw'], thing_classes=['nut']))
    )
    assert dataset.space == LabelSpace.create('s', ['nut', 'screw'], things=['nut'])
    assert dataset.metainfo['category_ids'] == [4, 9]
    assert dataset[1]['data_samples'].gt_segments.labels.tolist() == [1, 0, 1]
    with pytest.raises(LabelSpaceError, match=r'instances\.json: 1 of 3 categories are no class .*: nut'):
        DATASETS.build(make_objects(metainfo=dict(label_space='s', classes=['screw'])))


def test_images_without_labels_can_be_tested(make_objects: Callable[..., dict[str, Any]]) -> None:
    """As those of a test server, whose file has no annotations: where no step loads any."""
    config = make_objects(lambda content: content.pop('annotations'))
    sample = MultiDataset([{**config, 'pipeline': [PIPELINE[0], PIPELINE[2]]}])[0]['data_samples']
    assert sample.image_id == 5
    assert 'gt_segments' not in sample
    with pytest.raises(DataError, match=r"instances\.json: has no list 'annotations', and the pipeline loads labels"):
        MultiDataset([config])


def test_things_of_the_config_name_classes(make_objects: Callable[..., dict[str, Any]]) -> None:
    dataset = DATASETS.build(make_objects(metainfo=dict(label_space='s', classes=['nut', 'screw'])))
    assert dataset.space.things == ('nut', 'screw')


def test_a_model_may_name_the_file(make_objects: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    dataset = DATASETS.build(make_objects())
    assert LabelSpace.from_config(dict(path=str(tmp_path / 'instances.json'), name='parts')) == dataset.space


def test_masks_are_those_of_pycocotools(shared_data: Path) -> None:
    file = shared_data / 'tinycoco/annotations/instances_val2017.json'
    content, theirs = json.loads(file.read_text()), COCO(str(file))
    sizes = {image['id']: (image['height'], image['width']) for image in content['images']}
    assert content['annotations']
    for annotation in content['annotations']:
        check_segmentation(annotation['segmentation'], sizes[annotation['image_id']])
        ours = mask_of(annotation['segmentation'], sizes[annotation['image_id']])
        np.testing.assert_array_equal(ours, theirs.annToMask(annotation))


def test_overlaps_are_kept_for_metrics(shared_data: Path) -> None:
    root = shared_data / 'tinycoco'
    theirs = COCO(str(root / 'annotations/instances_val2017.json'))
    dataset = MultiDataset(
        [
            dict(
                type='mmlmseg.InstanceDataset',
                ann_file=str(root / 'annotations/instances_val2017.json'),
                data_prefix=dict(img_path=str(root / 'images/val2017')),
                pipeline=PIPELINE,
            )
        ]
    )
    deep = 0
    for i in range(len(dataset)):
        sample = dataset[i]['data_samples']
        annotations = theirs.loadAnns(theirs.getAnnIds(imgIds=[sample.image_id]))
        truth = sample.gt_segments.to_masks()
        assert truth.crowd.tolist() == [bool(annotation['iscrowd']) for annotation in annotations]
        for mask, annotation in zip(truth.masks.numpy(), annotations, strict=True):
            np.testing.assert_array_equal(mask, theirs.annToMask(annotation).astype(bool))
        deep = max(deep, len(sample.gt_segments.below))
    assert deep > 1


def test_overlaps_follow_the_image(make_objects: Callable[..., dict[str, Any]]) -> None:
    plain, moved = make_objects(), make_objects()
    moved['pipeline'][2:2] = [
        dict(type='mmlmseg.RandomFlip', prob=1.0),
        dict(type='Pad', size=(32, 40), pad_val=dict(img=0, seg=255)),
    ]
    before, after = (MultiDataset([config])[1]['data_samples'].gt_segments.to_masks() for config in (plain, moved))
    assert before.masks.sum((1, 2)).tolist() == [4, 128, 24 * 12]
    np.testing.assert_array_equal(after.masks[:, :24, :32].numpy(), before.masks.flip(-1).numpy())
    assert not after.masks[:, 24:].any()
    assert not after.masks[:, :, 32:].any()


def test_run_lengths_of_either_form() -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[3:9, 5:20] = 1
    packed = coco.encode(np.asfortranarray(mask))
    packed['counts'] = packed['counts'].decode()
    lengths = dict(
        size=[*SIZE], counts=np.diff(np.flatnonzero(np.diff(np.r_[2, mask.T.ravel(), 2])), append=0).tolist()
    )
    edges = np.flatnonzero(np.diff(mask.T.ravel())) + 1
    lengths['counts'] = np.diff([0, *edges, mask.size]).tolist()
    for code in (packed, lengths):
        check_segmentation(code, SIZE)
        np.testing.assert_array_equal(mask_of(code, SIZE), mask.astype(bool))


def test_many_crowds_are_worth_a_word(
    make_objects: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(coco_instances, 'print_log', lambda message, *_: told.append(message))
    DATASETS.build(make_objects())
    assert '1 of 3 annotations are crowds' in told[0]


def test_detection_pipelines_are_refused(make_objects: Callable[..., dict[str, Any]]) -> None:
    config = make_objects(type='mmdet.CocoDataset', data_prefix=dict(img=''), metainfo=dict(classes=('nut', 'screw')))
    config['pipeline'] = [dict(type='LoadImageFromFile'), dict(type='mmdet.PackDetInputs')]
    with pytest.raises(DataError, match=r"dataset 'coco': .*PackDetInputs.*mmlmseg\.InstanceDataset"):
        MultiDataset([config])


def test_labels_alone_are_not_there(make_objects: Callable[..., dict[str, Any]]) -> None:
    config = make_objects(pipeline=[dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadAnnotations')])
    with pytest.raises(DataError, match=r'mmlmseg\.InstanceDataset are loaded by .*LoadSegments'):
        MultiDataset([config])[1]


def add(**annotation: Any) -> Callable[[dict[str, Any]], None]:
    """Adds an annotation of image 3 to a file."""
    return lambda content: content['annotations'].append(dict(image_id=3, iscrowd=0, **annotation))


def test_the_later_object_lies_on_top_where_that_is_asked(make_objects: Callable[..., dict[str, Any]]) -> None:
    truth = MultiDataset([make_objects(overlaps='later')])[1]['data_samples'].gt_segments
    assert truth.ids[0, 7, 7] == 2  # the nut, which comes behind the screw
    assert truth.ids[0, 20, 15] == 3  # the crowd, though it comes last, lies below
    assert truth.to_masks().masks[0].sum() == 4


def test_overlaps_may_be_an_error(make_objects: Callable[..., dict[str, Any]]) -> None:
    config = make_objects(overlaps='error')
    with pytest.raises(DataError, match=r'annotations\[0\] \(screw\) and annotations\[1\] \(nut\) overlap in 4 pixels'):
        MultiDataset([config])[1]
    config = make_objects(lambda content: content['annotations'].pop(0), overlaps='error')
    assert MultiDataset([config])[1]['data_samples'].gt_segments.labels.tolist() == [2, 1]  # crowds lie below all


@pytest.mark.parametrize('file', ['without', 'with'])
def test_the_rest_may_be_a_class(make_objects: Callable[..., dict[str, Any]], file: str) -> None:
    change = {
        'without': lambda content: None,
        'with': lambda content: content['categories'].insert(0, dict(id=1, name='Table')),
    }
    dataset = MultiDataset([make_objects(change[file], rest='table')])
    (space,) = dataset.spaces[0]
    assert space.things == ('parts', 'screw', 'nut')
    table = [name.lower() for name in space.classes].index('table')
    assert (
        dataset.metainfo['datasets']['parts']['category_ids'] == {'without': [0, 9, 4, 10], 'with': [1, 0, 9, 4]}[file]
    )
    sample = dataset[1]['data_samples']
    assert sample.gt_sem_seg.data[0, 20, 2] == table
    assert sample.gt_segments.labels[sample.gt_segments.ids[0, 20, 2] - 1] == table
    empty = dataset[0]['data_samples']
    assert empty.gt_segments.labels.tolist() == [table]
    assert (empty.gt_sem_seg.data == table).all()
    assert [images[-1 if file == 'without' else 0] for images in dataset.presence[0].images] == [table, table]


def test_the_rest_may_be_ignored(make_objects: Callable[..., dict[str, Any]]) -> None:
    dataset = MultiDataset([make_objects(rest='ignore')])
    sample = dataset[1]['data_samples']
    assert sample.gt_sem_seg.data[0, 20, 2] == 255
    assert sample.gt_segments.ids[0, 20, 2] == 0
    assert dataset.presence[0].images == ((), (1, 2))


def test_the_rest_among_classes_of_the_config(make_objects: Callable[..., dict[str, Any]]) -> None:
    classes = ['table', 'nut', 'screw']
    dataset = DATASETS.build(make_objects(rest='table', metainfo=dict(label_space='s', classes=classes)))
    assert dataset.space.things == ('nut', 'screw')
    with pytest.raises(LabelSpaceError, match=r"rest='nuts' is no class.*Did you mean: nut"):
        DATASETS.build(make_objects(rest='nuts', metainfo=dict(label_space='s', classes=['nut', 'screw'])))


@pytest.mark.parametrize('rest', ['ignore', 'table'])
def test_one_file_is_scored_in_every_way(make_objects: Callable[..., dict[str, Any]], rest: str) -> None:
    dataset = MultiDataset([make_objects(rest=rest)])
    evaluator = MultiDatasetEvaluator(
        metrics=[dict(type=f'mmlmseg.{kind}') for kind in ('SemanticIoU', 'PanopticQuality', 'InstanceAP')]
    )
    evaluator.dataset_meta = dataset.metainfo
    for i in range(2):
        sample = dataset[i]['data_samples']
        truth = sample.gt_segments
        seg = sample.gt_sem_seg.data
        sample.pred_sem_seg = PixelData(data=seg.where(seg != 255, 0))
        sample.pred_segments = SegmentMap(truth.ids, truth.labels, scores=torch.ones(len(truth.labels)))
        masks = truth.to_masks()
        objects = [i for i, label in enumerate(truth.labels.tolist()) if label < 3 and not truth.crowd[i]]
        sample.pred_instances = MaskSet(masks.masks[objects], masks.labels[objects], scores=torch.ones(len(objects)))
        evaluator.process([sample])
    scores = evaluator.evaluate(2)
    assert {scores[f'parts/{key}'] for key in ('aAcc', 'PQ', 'AP')} == {100}


def test_an_iou_needs_to_know_the_rest(make_objects: Callable[..., dict[str, Any]]) -> None:
    sample = MultiDataset([make_objects()])[1]['data_samples']
    sample.pred_sem_seg = PixelData(data=sample.gt_sem_seg.data.clamp(max=2))
    metric = METRICS.build(dict(type='mmlmseg.SemanticIoU'))
    metric.dataset_meta = dict(classes=['parts', 'screw', 'nut'])
    with pytest.raises(DataError, match=r"3\.jpg: its truth is objects alone.*say rest='ignore'"):
        metric.process(None, [sample.to_dict()])


def test_annotations_that_share_an_id_are_one_object(make_objects: Callable[..., dict[str, Any]]) -> None:
    far = [20, 16, 24, 16, 24, 20, 20, 20]
    lengths = dict(size=[*SIZE], counts=[0, 2, 24 * 32 - 2])
    config = make_objects(
        lambda content: [add(id=0, category_id=9, segmentation=part)(content) for part in ([far], lengths)]
    )
    masks = MultiDataset([config])[1]['data_samples'].gt_segments.to_masks()
    assert masks.labels.tolist() == [1, 2, 1]
    assert masks.masks[0].sum() == 4 + 16 + 2


def test_ids_that_recur_in_other_images_are_no_fault(make_objects: Callable[..., dict[str, Any]]) -> None:
    def merge(content: dict[str, Any]) -> None:
        content['annotations'].append(dict(id=0, image_id=5, category_id=9, segmentation=[BOX]))  # neither iscrowd

    assert MultiDataset([make_objects(merge)])[0]['data_samples'].gt_segments.labels.tolist() == [1]


@pytest.mark.parametrize('form', ['datumaro 1.13.12', 'supervision 0.31.2'])
def test_crowd_flags_that_mean_run_lengths_can_be_overruled(
    make_objects: Callable[..., dict[str, Any]], form: str
) -> None:
    """datumaro flags every mask; supervision those with a hole or in several parts, the others stay polygons."""

    def flag(content: dict[str, Any]) -> None:
        for i, annotation in enumerate(content['annotations']):
            code = coco.encode(np.asfortranarray(mask_of(annotation['segmentation'], SIZE).astype(np.uint8)))
            if form.startswith('datumaro') or i:
                code['counts'] = code['counts'].decode()
                annotation.update(iscrowd=1, segmentation=code)

    truth = MultiDataset([make_objects(flag, crowds=False)])[1]['data_samples'].gt_segments
    assert not truth.crowd.any()
    assert truth.to_masks().masks.sum((1, 2)).tolist() == [4, 128, 24 * 12]


@pytest.mark.parametrize('rows', [slice(None), slice(1, None)])
def test_what_many_files_lack_is_not_needed(make_objects: Callable[..., dict[str, Any]], rows: slice) -> None:
    """No area, no box, no id, no crowd flag; category 0 in use, as in Label Studio's export."""

    def strip(content: dict[str, Any]) -> None:
        content['annotations'] = [
            dict(image_id=3, category_id=0, segmentation=one['segmentation']) for one in content['annotations'][rows]
        ]

    truth = MultiDataset([make_objects(strip)])[1]['data_samples'].gt_segments
    assert set(truth.labels.tolist()) == {0}
    assert not truth.crowd.any()


def test_a_large_vocabulary(make_objects: Callable[..., dict[str, Any]]) -> None:
    def many(content: dict[str, Any]) -> None:
        content['categories'] += [dict(id=100 + i, name=f'c{i}') for i in range(1200)]
        content['annotations'][0]['category_id'] = 100 + 1199

    config = make_objects(many, rest='ignore')
    config['pipeline'].insert(2, dict(type='Pad', size=(32, 40), pad_val=dict(img=0, seg=255)))
    sample = MultiDataset([config])[1]['data_samples']
    assert sample.gt_segments.labels.tolist() == [1202, 2, 1]
    assert sample.gt_sem_seg.data[0, 7, 7] == 1202
    assert (sample.gt_sem_seg.data[0, 24:] == 65535).all()
    assert (sample.gt_segments.ids[0, 24:] == 0).all()


def test_lvis_names_addresses(make_objects: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    def rename(content: dict[str, Any]) -> None:
        for image in content['images']:
            image['coco_url'] = f'http://images.example.org/val2017/{image.pop("file_name")}'

    config = make_objects(rename)
    (tmp_path / 'val2017').mkdir()
    for name in ('3.jpg', '5.jpg'):
        (tmp_path / name).rename(tmp_path / 'val2017' / name)
    assert MultiDataset([config])[1]['data_samples'].img_path == str(tmp_path / 'val2017' / '3.jpg')
