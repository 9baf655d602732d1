from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from mmlmseg.datasets import CityscapesPanopticDataset
from mmlmseg.panoptic_png import read_panoptic_png

# Unlabelled, ego vehicle, road, building, sky; a group of people, two people, two cars; a trailer (none of the 19).
IDS = (0, 1, 7, 11, 23, 24, 24000, 24001, 26000, 26017, 30002)
CLASS_OF = {7: 'road', 11: 'building', 23: 'sky', 24: 'person', 26: 'car'}


@pytest.fixture
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).parents[3] / 'tools' / 'dataset_converters' / 'cityscapes_panoptic.py')


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    """Two towns in train, one in val, as Cityscapes lays them out."""
    random = np.random.default_rng(0)
    for split, town, number in (('train', 'aachen', 2), ('train', 'bonn', 1), ('val', 'ulm', 2)):
        for folder in (tmp_path / 'gtFine' / split / town, tmp_path / 'leftImg8bit' / split / town):
            folder.mkdir(parents=True)
        for i in range(number):
            name = f'{town}_000000_{i:06d}'
            instances = random.choice(IDS, (6, 10)).repeat(4, 0).repeat(4, 1).astype(np.uint16)
            cv2.imwrite(str(tmp_path / f'gtFine/{split}/{town}/{name}_gtFine_instanceIds.png'), instances)
            image = random.integers(0, 256, (24, 40, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / f'leftImg8bit/{split}/{town}/{name}_leftImg8bit.png'), image)
    return tmp_path


def load(root: Path, split: str, pipeline: list[dict[str, Any]]) -> CityscapesPanopticDataset:
    return CityscapesPanopticDataset(
        ann_file=f'gtFine/cityscapes_panoptic_{split}.json',
        data_root=str(root),
        data_prefix=dict(img_path=f'leftImg8bit/{split}', seg_map_path=f'gtFine/cityscapes_panoptic_{split}'),
        pipeline=pipeline,
    )


def test_what_the_dataset_reads_is_what_cityscapes_says(tool: ModuleType, cityscapes: Path) -> None:
    assert tool.main([str(cityscapes)]) == 0
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='mmlmseg.LoadSegments'),
        dict(type='mmlmseg.PackSegments'),
    ]
    train, val = (load(cityscapes, split, pipeline) for split in ('train', 'val'))
    assert (len(train), len(val)) == (3, 2)
    assert train.metainfo['category_ids'][:3] == [7, 8, 11]
    for dataset in (train, val):
        for i in range(len(dataset)):
            sample = dataset[i]['data_samples']
            town = sample.image_id.split('_')[0]
            split = 'train' if dataset is train else 'val'
            file = cityscapes / 'gtFine' / split / town / f'{sample.image_id}_gtFine_instanceIds.png'
            instances = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            labels, truth = sample.gt_sem_seg.data[0].numpy(), sample.gt_segments
            meaning = {}
            for y, x in np.ndindex(instances.shape):
                instance, number = int(instances[y, x]), int(truth.ids[0, y, x])
                label_id = instance if instance < 1000 else instance // 1000
                if label_id not in CLASS_OF:
                    assert (labels[y, x], number) == (255, 0)
                    continue
                assert dataset.space.classes[labels[y, x]] == CLASS_OF[label_id]
                assert truth.labels[number - 1] == labels[y, x]
                assert truth.crowd[number - 1] == (instance == 24)
                assert meaning.setdefault(number, instance) == instance
            assert len(set(meaning.values())) == len(meaning)


def test_description_of_segments(tool: ModuleType) -> None:
    instances = np.array([[0, 7, 7], [26001, 26001, 30002], [26001, 24, 7]])
    ids, segments = tool.convert(instances, tool.make_categories())
    assert ids.tolist() == [[0, 7, 7], [26001, 26001, 0], [26001, 24, 7]]
    assert segments == [
        dict(id=7, category_id=7, area=3, bbox=[1, 0, 2, 3], iscrowd=0),
        dict(id=24, category_id=24, area=1, bbox=[1, 2, 1, 1], iscrowd=1),
        dict(id=26001, category_id=26, area=3, bbox=[0, 1, 2, 2], iscrowd=0),
    ]


def test_categories(tool: ModuleType) -> None:
    categories = tool.make_categories()
    assert [category['id'] for category in categories if category['isthing']] == [24, 25, 26, 27, 28, 31, 32, 33]
    assert {category['name']: category['id'] for category in categories}['traffic sign'] == 20
    assert categories[0] == dict(id=7, name='road', color=[128, 64, 128], isthing=0)


def test_converting_twice_changes_nothing(tool: ModuleType, cityscapes: Path, capsys: Any) -> None:
    tool.main([str(cityscapes)])
    assert 'cityscapes_panoptic_train.json: 3 images' in capsys.readouterr().out
    written = (cityscapes / 'gtFine').rglob('*_panoptic*')
    before = {file: file.read_bytes() for file in written if file.is_file()}
    assert len(before) == 2 + 5
    tool.main([str(cityscapes)])
    assert {file: file.read_bytes() for file in before} == before
    content = json.loads((cityscapes / 'gtFine' / 'cityscapes_panoptic_val.json').read_text())
    assert content['images'][0] == dict(
        id='ulm_000000_000000', file_name='ulm/ulm_000000_000000_leftImg8bit.png', height=24, width=40
    )
    png = cityscapes / 'gtFine' / 'cityscapes_panoptic_val' / content['annotations'][0]['file_name']
    assert set(np.unique(read_panoptic_png(png))) - {0} == {s['id'] for s in content['annotations'][0]['segments_info']}


def test_errors(tool: ModuleType, cityscapes: Path, capsys: Any) -> None:
    def run(root: Path) -> str:
        with pytest.raises(SystemExit, match='2'):
            tool.main([str(root)])
        return capsys.readouterr().err.strip()

    assert run(cityscapes / 'gtFine').endswith(f'unpack gtFine_trainvaltest.zip in {cityscapes / "gtFine"}')
    file = cityscapes / 'gtFine/train/bonn/bonn_000000_000000_gtFine_instanceIds.png'
    cv2.imwrite(str(file), np.full((4, 4), 200, np.uint8))
    assert run(cityscapes) == (
        f'error: {file}: instance id 200 is of no class of Cityscapes; take the original instanceIds.png'
    )
    assert not (cityscapes / 'gtFine' / 'cityscapes_panoptic_train.json').exists()
    cv2.imwrite(str(file), np.full((4, 4, 3), 7, np.uint8))
    assert f'{file}: has mode RGB' in run(cityscapes)
    file.write_bytes(b'x')
    assert f'{file}: cannot be read' in run(cityscapes)


@pytest.mark.parametrize(
    ('ids', 'message'), [((2, 3), 'all pixels are void'), ((7, 26), 'tells no object from another: all 2 segments')]
)
def test_maps_without_instances_are_not_cityscapes_own(
    tool: ModuleType, cityscapes: Path, capsys: Any, ids: tuple[int, int], message: str
) -> None:
    for file in (cityscapes / 'gtFine' / 'val').rglob('*_instanceIds.png'):
        instances = np.full((24, 40), ids[0], np.uint16)
        instances[4:9, 4:9] = ids[1]
        cv2.imwrite(str(file), instances)
    with pytest.raises(SystemExit, match='2'):
        tool.main([str(cityscapes)])
    assert message in capsys.readouterr().err
    assert not (cityscapes / 'gtFine' / 'cityscapes_panoptic_val.json').exists()
