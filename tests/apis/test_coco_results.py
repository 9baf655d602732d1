"""Results as an annotation file."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from pycocotools.coco import COCO

from mmlmseg.apis.coco_results import CocoResults
from mmlmseg.apis.results import result_of
from mmlmseg.datasets import coco_instances  # noqa: F401
from mmlmseg.errors import OptionError
from mmlmseg.label_space import LabelSpace
from mmlmseg.registry import DATASETS
from mmlmseg.segments import MaskSet, SegmentMap

SIZE = (24, 32)


@pytest.fixture
def masks() -> torch.Tensor:
    """Masks of many parts, with holes, that overlap."""
    return torch.from_numpy(np.random.default_rng(0).random((3, *SIZE)) < 0.4)


@pytest.mark.parametrize('task', ['semantic', 'panoptic', 'instance'])
def test_masks_come_back_to_the_bit(tmp_path: Path, spaces: list[LabelSpace], masks: torch.Tensor, task: str) -> None:
    labels, scores = torch.tensor([4, 4, 0]), torch.tensor([0.9, 0.5, 0.7])
    ids = torch.from_numpy(np.random.default_rng(1).integers(0, 4, SIZE).astype(np.int32))
    samples = dict(
        semantic=SegDataSample(pred_sem_seg=PixelData(data=ids[None])),
        panoptic=SegDataSample(pred_segments=SegmentMap(ids[None], labels, scores=scores)),
        instance=SegDataSample(pred_instances=MaskSet(masks, labels, scores=scores)),
    )
    expected = dict(
        semantic=[(label, ids == label) for label in range(4)],
        panoptic=[(label, ids == number) for number, label in enumerate(labels.tolist(), 1)],
        instance=list(zip(labels.tolist(), masks)),
    )[task]
    coco = CocoResults(tmp_path)
    for name in ('town/a.jpg', 'b.jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((*SIZE, 3), np.uint8))
        coco.add(result_of(tmp_path / name, samples[task], (spaces[0],)))
    coco.save(tmp_path / 'out.json')
    theirs = COCO(str(tmp_path / 'out.json'))
    assert theirs.loadCats(5)[0]['name'] == 'car'
    assert [one['file_name'] for one in theirs.loadImgs([1, 2])] == ['town/a.jpg', 'b.jpg']
    assert sorted(theirs.anns) == list(range(1, 2 * len(expected) + 1))
    for image in (1, 2):
        found = theirs.loadAnns(theirs.getAnnIds(image))
        assert [(one['category_id'] - 1, one['iscrowd']) for one in found] == [(label, 0) for label, _ in expected]
        for one, (_, mask) in zip(found, expected):
            assert np.array_equal(theirs.annToMask(one), mask.numpy())
            rows, columns = np.nonzero(mask.numpy())
            left, top = columns.min(), rows.min()
            assert one['bbox'] == [left, top, columns.max() + 1 - left, rows.max() + 1 - top]
            assert one['area'] == mask.sum()
        assert [one.get('score') for one in found] == ([None] * 4 if task == 'semantic' else [0.9, 0.5, 0.7])
    with DefaultScope.overwrite_default_scope('mmseg'):
        dataset = DATASETS.build(
            dict(
                type='mmlmseg.InstanceDataset',
                ann_file='out.json',
                data_root=str(tmp_path),
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='mmlmseg.LoadSegments'),
                    dict(type='mmlmseg.PackSegments'),
                ],
            )
        )
    assert dataset.space.palette == spaces[0].palette
    truth = dataset[0]['data_samples'].gt_segments.to_masks()
    got = {(label, mask.numpy().tobytes()) for label, mask in zip(truth.labels.tolist(), truth.masks)}
    assert got == {(label, mask.numpy().tobytes()) for label, mask in expected}


def test_what_several_spaces_say_are_several_objects(
    tmp_path: Path, spaces: list[LabelSpace], masks: torch.Tensor
) -> None:
    found = MaskSet(masks, torch.tensor([4, 5, 1]), scores=torch.ones(3), origins=[(4,), (5,), (1, 7)])
    coco = CocoResults(tmp_path)
    coco.add(result_of(tmp_path / 'a.jpg', SegDataSample(pred_segments=found), tuple(spaces)))
    coco.save(tmp_path / 'out.json')
    content = json.loads((tmp_path / 'out.json').read_text())
    assert [one['name'] for one in content['categories']][4:6] == ['street:car', 'facade:wall']
    assert [one['category_id'] for one in content['annotations']] == [5, 6, 2, 8]


@pytest.mark.parametrize('path', [None, Path('elsewhere/a.jpg')])
def test_images_without_a_name_in_the_folder_are_refused(
    tmp_path: Path, spaces: list[LabelSpace], masks: torch.Tensor, path: Path | None
) -> None:
    found = MaskSet(masks, torch.tensor([4, 4, 1]), scores=torch.ones(3))
    with pytest.raises(OptionError, match='is no file in'):
        CocoResults(tmp_path).add(result_of(path, SegDataSample(pred_segments=found), (spaces[0],)))
