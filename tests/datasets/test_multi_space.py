"""Truth in several label spaces at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mmlmseg.config import parts_of, space_names
from mmlmseg.datasets import MultiDataset, MultiSpaceFolderDataset
from mmlmseg.errors import DataError, LabelSpaceError
from mmlmseg.evaluation import MultiDatasetEvaluator
from mmlmseg.lab.scenes import draw_scene, scene_space, write_folder_dataset
from mmlmseg.segments import MaskSet

NAMES = ('objects', 'wardrobe', 'facade')
SIZE = (48, 64)
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='mmlmseg.LoadSegments'),
    dict(type='mmlmseg.PackSegments'),
]


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    return [write_folder_dataset(tmp_path / name, name, [9], range(3), size=SIZE) for name in NAMES]


@pytest.fixture
def config(roots: list[Path]) -> dict[str, Any]:
    folders = [dict(data_root=str(root)) for root in roots]
    return dict(type='mmlmseg.MultiSpaceFolderDataset', folders=folders, split='val', pipeline=PIPELINE)


def test_each_space_keeps_its_truth(config: dict[str, Any]) -> None:
    dataset = MultiDataset([config])
    assert len(dataset) == 3
    for index in range(3):
        sample, scene = dataset[index]['data_samples'], draw_scene(0, index, SIZE)
        truth, masks = sample.gt_segments, sample.gt_segments.to_masks().masks
        assert truth.ids.shape == (3, *SIZE)
        first = 0
        for group, name in enumerate(NAMES):
            space = scene_space(name)
            labels, segments = scene.label_map(space), scene.instances(space)
            np.testing.assert_array_equal(truth.void[group].numpy(), segments == 0)
            own = [i for i, label in enumerate(truth.labels.tolist()) if 0 <= label - first < len(space.classes)]
            expected = {(int(labels[segments == i][0]), (segments == i).tobytes()) for i in np.unique(segments) if i}
            found = {(int(truth.labels[i]) - first, masks[i].numpy().tobytes()) for i in own}
            assert len(own) == len(found)
            assert found == expected
            first += len(space.classes)
        assert not truth.crowd.any()
        assert 'gt_sem_seg' not in sample


def test_samples_ask_for_all_spaces(config: dict[str, Any]) -> None:
    dataset = MultiDataset([config], names=['scenes'])
    meta = dataset[0]['data_samples'].metainfo
    assert (meta['dataset'], meta['label_spaces']) == ('scenes', NAMES)
    assert not {'label_space', 'classes', 'is_thing'} & meta.keys()
    described = dataset.metainfo['datasets']['scenes']
    assert described['spaces'] == [scene_space(name).label_space().to_dict() for name in NAMES]
    assert described['classes'][:2] == ['objects:sky', 'objects:grass']
    assert described['groups'] == [i for i, name in enumerate(NAMES) for _ in scene_space(name).classes]
    assert described['is_thing'] == [t for name in NAMES for t in scene_space(name).label_space().is_thing]


def test_names_without_building(config: dict[str, Any]) -> None:
    assert space_names(config) == NAMES
    assert list(parts_of(config)) == ['objects+wardrobe+facade']
    assert MultiDataset([config]).names == list(parts_of(config))


def test_truth_as_prediction_is_perfect(config: dict[str, Any]) -> None:
    dataset = MultiDataset([config], names=['scenes'])
    metrics = [dict(type='mmlmseg.PanopticInstanceQuality'), dict(type='mmlmseg.InstanceAP')]
    evaluator = MultiDatasetEvaluator(metrics)
    evaluator.dataset_meta = dataset.metainfo
    samples = [dataset[i]['data_samples'] for i in range(3)]
    for sample in samples:
        truth = sample.gt_segments.to_masks()
        sample.pred_segments = MaskSet(truth.masks, truth.labels, scores=torch.ones(len(truth.labels)))
    evaluator.process(samples)
    scores = evaluator.evaluate(3)
    assert (scores['scenes/PIQ'], scores['scenes/AP']) == (100.0, 100.0)


def test_united_masks_count_for_every_space_that_says_them(config: dict[str, Any]) -> None:
    dataset = MultiDataset([config], names=['scenes'])
    evaluator = MultiDatasetEvaluator([dict(type='mmlmseg.PanopticInstanceQuality')])
    evaluator.dataset_meta = dataset.metainfo
    sample = dataset[0]['data_samples']
    classes = dataset.metainfo['datasets']['scenes']['classes']
    skies = [classes.index('objects:sky'), classes.index('facade:sky')]
    truth = sample.gt_segments.to_masks()
    masks = truth.masks[truth.labels == skies[0]]
    labels, scores = torch.tensor(skies[:1]), torch.tensor([0.7])
    sample.pred_segments = MaskSet(masks, labels, scores=scores, origins=[tuple(skies)])
    evaluator.process([sample])
    evaluator.evaluate(1)
    (metric,) = evaluator.dataset_metrics['scenes']
    assert metric.per_image is not None
    assert metric.per_image[0, 0, skies].tolist() == [1.0, 1.0]  # the sum of IoU of each
    sample.pred_segments = replace(sample.pred_segments, origins=[(skies[0],)])
    evaluator.process([sample])
    evaluator.evaluate(1)
    assert metric.per_image[0, 0, skies].tolist() == [1.0, 0.0]


def test_refuses_folders_that_do_not_fit(config: dict[str, Any], roots: list[Path]) -> None:
    with pytest.raises(LabelSpaceError, match='1 folders; one label space needs a FolderDataset'):
        MultiSpaceFolderDataset(config['folders'][:1])
    with pytest.raises(LabelSpaceError, match='two label spaces are named objects'):
        MultiSpaceFolderDataset([config['folders'][0]] * 2)
    with pytest.raises(DataError, match='is given indices, split; a folder has data_root, metainfo'):
        MultiSpaceFolderDataset([config['folders'][0], dict(config['folders'][1], split='train', indices=3)])
    listed = (roots[1] / 'val.txt').read_text().split()
    (roots[1] / 'val.txt').write_text('\n'.join(listed[:-1]))
    with pytest.raises(DataError, match=rf"wardrobe/val.txt: lacks '{listed[-1]}'.*\(1 such names\)"):
        MultiSpaceFolderDataset(config['folders'])
    (roots[1] / 'val.txt').write_text('\n'.join(listed[::-1]))  # another order is no fault
    assert len(MultiSpaceFolderDataset(config['folders'])) == 3


def test_names_the_file_that_is_wrong(config: dict[str, Any], roots: list[Path]) -> None:
    described = json.loads((roots[2] / 'classes.json').read_text())
    (roots[2] / 'classes.json').write_text(
        json.dumps(
            {**described, 'classes': described['classes'][:2], 'things': [], 'palette': described['palette'][:2]}
        )
    )
    dataset = MultiDataset([config])
    with pytest.raises(DataError, match=r'label .*facade/labels/.*: label id 2, 3.* is outside'):
        dataset[0]
    label = Path(dataset.get_data_info(1)['truths'][1]['seg_map_path'])
    label.write_bytes(label.read_bytes()[:60])
    with pytest.raises(DataError, match=rf'cannot be read as an image: {label}'):
        dataset[1]


def test_labels_of_one_space_may_start_at_1(config: dict[str, Any], roots: list[Path]) -> None:
    plain = MultiDataset([config])[0]['data_samples'].gt_segments
    for path in (roots[1] / 'labels').glob('*.png'):
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.where(labels == 255, 0, labels + 1).astype(np.uint8))
    config['folders'][1]['reduce_zero_label'] = True
    raised = MultiDataset([config])[0]['data_samples'].gt_segments
    assert raised.ids.equal(plain.ids)
    assert raised.labels.equal(plain.labels)
