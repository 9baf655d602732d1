"""Pascal VOC's layout becomes a folder dataset."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmlmseg.datasets import FolderDataset
from mmlmseg.exchange.voc import convert_voc

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments'), dict(type='mmlmseg.PackSegments')]


def read(root: Path, split: str) -> FolderDataset:
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('mmseg'):
        return FolderDataset(root, split, pipeline=PIPELINE)


def values(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_what_labelme2voc_wrote_becomes_a_folder(
    written: Callable[[str], Path], convert: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    source = written('voc_labelme')
    out = source.parent / 'yard'
    assert convert('voc_to_folder', source, out) == 0
    printed = capsys.readouterr().out
    for words in ('1 images of train', 'ball: in 1 images, 2 objects', '1 x image that no list names', "split='train'"):
        assert words in printed
    assert json.loads((out / 'classes.json').read_text()) == dict(
        classes=['background', 'ball', 'car', 'dirt'], things=['ball', 'car', 'dirt']
    )
    assert np.array_equal(values(out / 'labels' / 'a.png'), values(source / 'SegmentationClass' / 'a.png'))
    sample = read(out, 'train')[0]['data_samples']
    ids = sample.gt_segments.ids[0].numpy()
    objects = values(source / 'SegmentationObject' / 'a.png')
    assert sorted(sample.gt_segments.labels.tolist()) == [0, 1, 1, 2, 3, 3]
    for number in range(1, objects.max() + 1):
        assert len(np.unique(ids[objects == number])) == 1
    assert not ids[sample.gt_sem_seg.data[0].numpy() == 255].any()


def test_what_datumaro_wrote_in_colours_becomes_a_folder(
    written: Callable[[str], Path], convert: Callable[..., int]
) -> None:
    source = written('voc_datumaro')
    out = source.parent / 'yard'
    assert convert('voc_to_folder', source, out, '--things', 'car', 'ball') == 0
    assert json.loads((out / 'classes.json').read_text())['palette'] == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    labels, instances = (values(out / folder / 'a.png') for folder in ('labels', 'instances'))
    expected = np.zeros((48, 64), np.uint8)
    expected[8:24, 6:30] = expected[4:10, 40:60] = 1
    expected[30:44, 36:60] = 2
    assert np.array_equal(labels, expected)
    assert len(np.unique(instances[expected == 1])) == 2
    assert not instances[expected == 0].any()
    sample = read(out, 'val')[0]['data_samples']
    assert sorted(sample.gt_segments.labels.tolist()) == [0, 1]


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Pascal VOC's own form: palette images with a border of 255, and lists."""
    root = tmp_path / 'VOC2012'
    labels = np.zeros((48, 64), np.uint8)
    labels[10:30, 10:30] = 255
    labels[12:28, 12:28] = 15
    labels[12:28, 20:28] = 7
    objects = np.where(labels == 15, 1, np.where(labels == 7, 2, labels))
    objects[12, 19] = 2  # a pixel of the person
    for name in ('2007_1', '2007_2', '2007_3'):
        for folder, array in (('SegmentationClass', labels), ('SegmentationObject', objects)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(array.astype(np.uint8))
            image.putpalette([value for i in range(256) for value in (i, 255 - i, 7)])
            image.save(root / folder / f'{name}.png')
        (root / 'JPEGImages').mkdir(exist_ok=True)
        Image.new('RGB', (64, 48)).save(root / 'JPEGImages' / f'{name}.jpg')
    (root / 'ImageSets' / 'Segmentation').mkdir(parents=True)
    for split, names in dict(train=['2007_1'], val=['2007_2', '2007_9'], trainval=['2007_1', '2007_2']).items():
        (root / 'ImageSets' / 'Segmentation' / f'{split}.txt').write_text('\n'.join(names))
    return root


def test_the_border_of_objects_counts_nowhere(voc: Path, tmp_path: Path) -> None:
    done = convert_voc(voc, tmp_path / 'voc')
    assert done.splits == dict(train=1, trainval=2, val=1)
    assert done.images == dict(background=2, car=2, person=2)
    assert done.objects == dict(person=2, car=2)
    assert {what: len(places) for what, places in done.losses.places.items()} == {
        'sample of ImageSets/Segmentation without image': 1,
        'image that no list names, or without a label map': 1,
        'object on pixels of several classes, of which one is kept': 2,
    }
    dataset = read(tmp_path / 'voc', 'trainval')
    assert len(dataset.metainfo['classes']) == 21
    assert dataset.space.things == dataset.space.classes[1:]
    sample = dataset[0]['data_samples']
    labels, ids = sample.gt_sem_seg.data[0].numpy(), sample.gt_segments.ids[0].numpy()
    assert labels[10, 10] == 255
    assert ids[10, 10] == 0
    assert sorted(sample.gt_segments.labels.tolist()) == [0, 7, 15]


def test_without_objects_it_is_semantic(voc: Path, tmp_path: Path) -> None:
    (voc / 'SegmentationObject').rename(voc / 'Other')
    done = convert_voc(voc, tmp_path / 'voc')
    assert not done.objects
    assert not (tmp_path / 'voc' / 'instances').exists()
    assert read(tmp_path / 'voc', 'train').space.things == ()
