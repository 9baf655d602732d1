from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import TRANSFORMS, DefaultScope
from PIL import Image

from mmlmseg.datasets import (
    FolderDataset,
    LoadSegments,
    MultiDataset,
    PackSegments,
    RandomRangeCrop,
    ResizeShortestEdge,
)
from mmlmseg.datasets.transforms import read_instances
from mmlmseg.errors import DataError
from mmlmseg.label_space import LabelSpace

MakeFolder = Callable[..., Path]
Results = dict[str, Any]
HEIGHT, WIDTH = 40, 56
SPACE = LabelSpace.create('five', ['a', 'b', 'c', 'd', 'e'], things=['a', 'b', 'c', 'd', 'e'])


@pytest.fixture
def results() -> Results:
    """A loaded sample of 600 segments, far more than 8 bits hold; every pixel knows where it comes from."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 5, 600).tolist()
    ids = random.permutation(np.resize(np.arange(601, dtype=np.int32), HEIGHT * WIDTH)).reshape(HEIGHT, WIDTH)
    classes = np.array([255, *labels], np.uint8)[ids]
    outside = random.random(ids.shape) < 0.1  # of a thing, but of no instance
    rows, columns = np.indices(ids.shape, dtype=np.uint8)
    return dict(
        img=random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8),
        img_path='a.jpg',
        img_shape=(HEIGHT, WIDTH),
        ori_shape=(HEIGHT, WIDTH),
        gt_seg_map=classes,
        gt_segment_map=np.where(outside, 0, ids),
        spaces=(SPACE,),
        gt_segment_labels=[labels],
        gt_segment_crowd=[[False] * 600],
        rows=rows,
        columns=columns,
        seg_fields=['gt_seg_map', 'gt_segment_map', 'rows', 'columns'],
    )


GEOMETRIC = {
    'nothing': [],
    'Resize': [dict(type='Resize', scale=(71, 33))],
    'Resize, keep the ratio': [dict(type='Resize', scale=(200, 90), keep_ratio=True)],
    'RandomResize': [dict(type='RandomResize', scale=(80, 60), ratio_range=(0.5, 2.0), keep_ratio=True)],
    'RandomChoiceResize': [
        dict(type='RandomChoiceResize', scales=[20, 30, 77], resize_type='mmlmseg.ResizeShortestEdge', max_size=90)
    ],
    'ResizeShortestEdge': [dict(type='mmlmseg.ResizeShortestEdge', scale=61, max_size=80)],
    'RandomCrop': [dict(type='RandomCrop', crop_size=(17, 23))],
    'RandomCrop by class': [dict(type='RandomCrop', crop_size=(17, 23), cat_max_ratio=0.3)],
    'RandomFlip': [dict(type='RandomFlip', prob=1.0)],
    'RandomFlip, vertical': [dict(type='RandomFlip', prob=1.0, direction='vertical')],
    'RandomRotate': [dict(type='RandomRotate', prob=1.0, degree=40)],
    'Pad': [dict(type='Pad', size=(80, 64), pad_val=dict(img=128, seg=255))],
    'Pad to a multiple': [dict(type='Pad', size_divisor=64)],
    'training': [
        dict(type='RandomChoiceResize', scales=[20, 30, 77], resize_type='mmlmseg.ResizeShortestEdge', max_size=90),
        dict(type='RandomCrop', crop_size=(32, 48), cat_max_ratio=0.75),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PhotoMetricDistortion'),
        dict(type='Pad', size=(48, 32), pad_val=dict(img=128, seg=255)),
    ],
}


def build(steps: list[dict[str, Any]]) -> Compose:
    with DefaultScope.overwrite_default_scope('mmseg'):
        return Compose([TRANSFORMS.build(step) for step in [*steps, dict(type='mmlmseg.PackSegments')]])


@pytest.mark.parametrize('name', GEOMETRIC)
def test_geometry_keeps_segments_and_classes_aligned(results: Results, name: str) -> None:
    pipeline = build(GEOMETRIC[name])
    for _ in range(3):
        moved = copy.deepcopy(results)
        sample = pipeline(moved)['data_samples']
        labels, truth = sample.gt_sem_seg.data[0].numpy(), sample.gt_segments
        numbers = truth.ids[0].numpy()
        assert (truth.ids.dtype, truth.labels.dtype, truth.crowd.dtype) == (torch.int32, torch.long, torch.bool)
        assert labels.shape == numbers.shape == moved['img'].shape[:2]
        assert [truth.labels.tolist()] == results['gt_segment_labels']
        assert [truth.crowd.tolist()] == results['gt_segment_crowd']
        assert (numbers > 255).any()
        rows, columns = (  # `Pad` pads the labels only
            np.pad(moved[key], [(0, m - n) for m, n in zip(labels.shape, moved[key].shape)], constant_values=255)
            for key in ('rows', 'columns')
        )
        for y, x in np.ndindex(labels.shape):
            row, column = rows[y, x], columns[y, x]
            if 255 in (row, column):  # padding
                assert (labels[y, x], numbers[y, x]) == (255, 0)
            else:
                assert labels[y, x] == results['gt_seg_map'][row, column]
                assert numbers[y, x] == results['gt_segment_map'][row, column]


@pytest.mark.parametrize('name', [name for name in GEOMETRIC if 'Pad' not in name and 'class' not in name][:-1])
def test_several_spaces_are_carried_along_as_each_alone(results: Results, name: str) -> None:
    pipeline = build(GEOMETRIC[name])
    other = copy.deepcopy(results)  # the second space sees the image upside down, and has two segments
    upside_down = results['gt_seg_map'][::-1]
    other.update(
        gt_seg_map=np.where(upside_down == 255, upside_down, upside_down % 2 + 2),
        gt_segment_map=np.where(upside_down == 255, 0, upside_down % 2 + 1).astype(np.int32),
        gt_segment_labels=[[2, 3]],
        gt_segment_crowd=[[False, True]],
    )
    both = {key: value for key, value in results.items() if not key.startswith('gt')}
    both['spaces'] = (SPACE, SPACE)
    both['seg_fields'] = [f'{key}_{i}' for i in range(2) for key in ('gt_seg_map', 'gt_segment_map')]
    for i, own in enumerate((results, other)):
        both.update({f'{key}_{i}': own[key] for key in ('gt_seg_map', 'gt_segment_map')})
    for key in ('gt_segment_labels', 'gt_segment_crowd'):
        both[key] = results[key] + other[key]
    samples = []
    for given in (results, other, both):
        np.random.seed(5)
        samples.append(pipeline(copy.deepcopy(given))['data_samples'])
    first, second, joint = (sample.gt_segments for sample in samples)
    assert 'gt_sem_seg' not in samples[2]
    assert joint.ids.dtype == torch.int32
    assert joint.ids[0].equal(first.ids[0])
    assert joint.ids[1].equal(torch.where(second.ids[0] > 0, second.ids[0] + 600, 0))
    assert joint.labels.tolist() == [*first.labels.tolist(), 5 + 2, 5 + 3]
    assert joint.crowd.tolist() == [False] * 601 + [True]


def test_what_treats_labels_and_segments_differently_is_found(results: Results) -> None:
    pad, flip = dict(type='Pad', size=(80, 64)), dict(type='RandomFlip', prob=1.0)
    for steps, message in (
        (
            [{**flip, 'swap_seg_labels': [(0, 1)]}],
            r'segment \d+ is of class \d, but the label is \d: .*swap_seg_labels',
        ),
        ([pad, flip], r'labels 64x80 and segments 40x56 differ in size .*put Pad right before'),
        ([{**pad, 'padding_mode': 'edge'}], r'labels 64x80 and segments 40x56 differ'),
        ([dict(type='CenterCrop', crop_size=(20, 30))], r'labels 30x20 and segments 40x56 differ in size .*CenterCrop'),
    ):
        with pytest.raises(DataError, match=message):
            build(steps)(copy.deepcopy(results))


def test_packing_without_panoptic_truth(results: Results) -> None:
    del results['gt_segment_labels']
    packed = PackSegments(meta_keys=('img_path',))({**results, 'image_id': 7})
    assert 'gt_segments' not in packed['data_samples']
    assert packed['data_samples'].metainfo == dict(img_path='a.jpg', image_id=7)
    assert PackSegments()({'img': results['img']})['inputs'].shape == (3, HEIGHT, WIDTH)


def test_loading_needs_to_know_the_things() -> None:
    with pytest.raises(DataError, match=r'which classes are things: .*for others take LoadAnnotations'):
        LoadSegments()(dict(seg_map_path='a.png', seg_fields=[], reduce_zero_label=False))


def add_instances(root: Path, sample: str, classes: np.ndarray, instances: np.ndarray) -> None:
    (root / 'instances').mkdir(exist_ok=True)
    cv2.imwrite(str(root / 'labels' / f'{sample}.png'), classes)
    cv2.imwrite(str(root / 'instances' / f'{sample}.png'), instances)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_folders(make_folder: MakeFolder, panoptic_pipeline: list[dict], dtype: type) -> None:
    root = make_folder(things=['car'], train=1, val=0, size=(2, 5))  # road, sky, car
    big = np.iinfo(dtype).max
    classes = np.array([[0, 0, 2, 2, 2], [1, 255, 2, 255, 0]], np.uint8)
    instances = np.array([[7, 0, big, big, 0], [9, 0, 3, 3, 0]], dtype)
    add_instances(root, 'train_0', classes, instances)
    sample = FolderDataset(root, pipeline=panoptic_pipeline)[0]['data_samples']
    assert sample.gt_sem_seg.data[0].tolist() == classes.tolist()
    truth = sample.gt_segments
    road, sky, left, right = (int(truth.ids[0, y, x]) for y, x in ((0, 0), (1, 0), (1, 2), (0, 2)))
    assert sorted((road, sky, left, right)) == [1, 2, 3, 4]
    assert truth.ids[0].tolist() == [[road, road, right, right, 0], [sky, 0, left, 0, road]]
    assert [truth.labels[i - 1] for i in (road, sky, left, right)] == [0, 1, 2, 2]
    assert truth.crowd.tolist() == [False] * 4


def test_folders_whose_labels_start_at_1(make_folder: MakeFolder, panoptic_pipeline: list[dict]) -> None:
    root = make_folder(things=['car'], train=1, val=0, size=(2, 2))
    add_instances(root, 'train_0', np.array([[0, 1], [3, 3]], np.uint8), np.array([[1, 0], [1, 2]], np.uint8))
    sample = FolderDataset(root, pipeline=panoptic_pipeline, reduce_zero_label=True)[0]['data_samples']
    assert sample.gt_sem_seg.data.flatten().tolist() == [255, 0, 2, 2]
    truth = sample.gt_segments
    assert truth.ids.flatten().tolist() == [0, 1, 2, 3]
    assert truth.labels.tolist() == [0, 2, 2]


def test_folders_of_stuff_alone(make_folder: MakeFolder, panoptic_pipeline: list[dict]) -> None:
    root = make_folder(train=1, val=0)
    sample = FolderDataset(root, pipeline=panoptic_pipeline)[0]['data_samples']
    classes, truth = sample.gt_sem_seg.data, sample.gt_segments
    assert torch.tensor([255, *truth.labels])[truth.ids.long()].equal(classes)
    assert sorted(truth.labels.tolist()) == [0, 1, 2]


@pytest.mark.parametrize(
    ('classes', 'instances', 'message'),
    [
        ([[2, 1, 1]], [[5, 5, 0]], r"instances/train_0\.png: segment 5 lies on two classes, 'sky' and 'car'"),
        ([[2, 9, 1]], [[5, 6, 7]], r'train_0\.png: label id 9 is outside the label space'),
        ([[2, 1, 1]], [[5, 5]], r'instances/train_0\.png: instances 2x2 and labels 2x3 differ in size'),
        ([[2, 2]], [[5, 6]], r'image 2x3, label 2x2'),
        ([[2, 1, 1]], [[[5] * 3] * 3], r'instances/train_0\.png: has mode RGB; save one 8-bit or 16-bit segment id'),
    ],
)
def test_bad_folder_samples(
    make_folder: MakeFolder, panoptic_pipeline: list[dict], classes: list, instances: list, message: str
) -> None:
    root = make_folder('street', things=['car'], train=1, val=0, size=(2, 3))
    add_instances(root, 'train_0', np.array(classes * 2, np.uint8), np.array(instances * 2, np.uint8))
    dataset = MultiDataset([dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=panoptic_pipeline)])
    with pytest.raises(DataError, match=f"dataset 'street', sample 0: .*{message}"):
        dataset[0]


def test_things_without_instances(make_folder: MakeFolder, panoptic_pipeline: list[dict]) -> None:
    root = make_folder('street', things=['car'])
    with pytest.raises(DataError, match=r"labels/train_0\.png: there is no instances/ folder .* of 'street' .*\(car\)"):
        FolderDataset(root, pipeline=panoptic_pipeline)[0]


def test_instance_files(tmp_path: Path) -> None:
    file = tmp_path / 'a.png'
    with pytest.raises(DataError, match=r'a\.png: no such file'):
        read_instances(str(file))
    file.write_bytes(b'no image')
    with pytest.raises(DataError, match=r'a\.png: cannot be read'):
        read_instances(str(file))
    Image.new('1', (2, 2)).save(file)
    with pytest.raises(DataError, match=r'a\.png: has mode 1'):
        read_instances(str(file))
    palette = Image.fromarray(np.array([[3, 4]], np.uint8), mode='L').convert('P')
    palette.putdata([3, 4])
    palette.save(file)
    assert read_instances(str(file)).tolist() == [[3, 4]]


def test_real_folder(shared_data: Path, panoptic_pipeline: list[dict]) -> None:
    root = shared_data / 'msrc_v2'
    stuff = {'building', 'grass', 'tree', 'sky', 'mountain', 'water', 'road'}
    things = [name for name in LabelSpace.from_json(root).classes if name not in stuff]
    dataset = FolderDataset(root, split='val', things=things, pipeline=panoptic_pipeline)
    seen = 0
    for i in range(0, len(dataset), 10):
        info, sample = dataset.get_data_info(i), dataset[i]['data_samples']
        classes = np.asarray(Image.open(info['seg_map_path']))
        instances = np.asarray(Image.open(info['panoptic_path']))
        truth = sample.gt_segments
        numbers = truth.ids[0].numpy()
        assert (sample.gt_sem_seg.data[0].numpy() == classes).all()
        for number, label in enumerate(truth.labels.tolist(), 1):
            mask = numbers == number
            assert mask.any()
            assert set(classes[mask]) == {label}
            if dataset.space.is_thing[label]:
                instance = set(instances[mask].tolist())
                assert len(instance) == 1
                assert (mask == ((instances == instance.pop()) & (classes == label))).all()
                seen += 1
            else:
                assert (mask == (classes == label)).all()
        of_thing = np.isin(classes, np.flatnonzero(dataset.space.is_thing))
        assert ((numbers == 0) == ((classes == 255) | ((instances == 0) & of_thing))).all()
    assert seen > 10


def pixels_of(height: int, width: int) -> dict:
    pixels = np.arange(height * width, dtype=np.int32).reshape(height, width)
    return dict(
        img=np.stack([pixels] * 3, -1),
        gt_seg_map=pixels,
        gt_segment_map=pixels + 1,
        seg_fields=['gt_seg_map', 'gt_segment_map'],
    )


def test_sizes_fill_the_range_and_maps_stay_aligned() -> None:
    crop = RandomRangeCrop(8, 12)
    heights, widths = set(), set()
    for _ in range(200):
        results = crop(pixels_of(30, 10))
        image, labels = results['img'], results['gt_seg_map']
        assert np.array_equal(image[..., 0], labels)
        assert np.array_equal(results['gt_segment_map'], labels + 1)
        assert results['img_shape'][:2] == labels.shape
        heights.add(labels.shape[0])
        widths.add(labels.shape[1])
    assert heights == {8, 9, 10, 11, 12}
    assert widths == {8, 9, 10}  # the image is no wider


def test_smaller_images_stay_whole() -> None:
    assert RandomRangeCrop(8, 12)(pixels_of(5, 6))['gt_seg_map'].shape == (5, 6)


@pytest.mark.parametrize(('low', 'high'), [(0, 4), (5, 4)])
def test_empty_ranges_are_errors(low: int, high: int) -> None:
    with pytest.raises(ValueError, match='drawn from'):
        RandomRangeCrop(low, high)


@pytest.mark.parametrize(('size', 'scale', 'max_size', 'expected'), [
    ((154, 662), 512, 2048, (476, 2048)),
    ((416, 844), 2048, 2048, (1009, 2048)),
    ((300, 400), 512, 2048, (512, 683)),
    ((1, 5000), 512, 2048, (1, 2048)),
])  # fmt: skip
def test_the_shortest_side_is_rounded_once(
    size: tuple[int, int], scale: int, max_size: int, expected: tuple[int, int]
) -> None:
    resize = ResizeShortestEdge(scale, max_size)
    assert resize(dict(img=np.zeros((*size, 3), np.uint8)))['img'].shape[:2] == expected
