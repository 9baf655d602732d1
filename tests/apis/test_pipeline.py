"""The test transforms of a config, without loading."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmlmseg.apis.pipeline import build_pipeline, inference_pipeline, prepare


def _pipeline(side: int) -> list[dict]:
    return [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(side, side), keep_ratio=True),
        dict(type='mmseg.LoadAnnotations'),
        dict(type='PackSegInputs'),
    ]


def _sides(config: dict, space: str | None) -> list[int]:
    return [step['scale'][0] for step in inference_pipeline(Config(config), space) if step['type'] == 'Resize']


def test_test_pipeline_serves_where_no_dataset_is_meant_and_is_left_alone() -> None:
    config = dict(test_pipeline=_pipeline(64), test_dataloader=dict(dataset=dict(pipeline=_pipeline(32))))
    steps = inference_pipeline(config, 'any')
    assert [step['type'] for step in steps] == ['Resize', 'PackSegInputs']
    assert len(config['test_pipeline']) == 4
    assert inference_pipeline({}, None) == [dict(type='PackSegInputs')]


def test_each_label_space_has_the_pipeline_of_its_dataset() -> None:
    members = [
        dict(type='CityscapesDataset', pipeline=_pipeline(1024)),
        dict(type='mmlmseg.FolderDataset', pipeline=_pipeline(96)),
    ]
    dataset = dict(type='mmlmseg.MultiDataset', datasets=members, names=['streets', 'photos'])
    config = dict(test_dataloader=dict(dataset=dataset))
    assert _sides(config, 'cityscapes') == [1024]
    assert _sides(config, 'photos') == [96]
    assert _sides(config, None) == _sides(config, 'unheard of') == [1024]


def test_folders_have_their_own_pipelines_before_the_common_one(tmp_path: Path) -> None:
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / 'classes.json').write_text(json.dumps(dict(name='street', classes=['road', 'sky'])))
    members = [
        dict(type='mmlmseg.FolderDataset', data_root=str(tmp_path / 'a'), pipeline=_pipeline(32)),
        dict(
            type='RepeatDataset', dataset=dict(type='mmlmseg.FolderDataset', data_root='no/b', pipeline=_pipeline(48))
        ),
    ]
    dataset = dict(type='mmlmseg.MultiDataset', datasets=members)
    config = dict(test_pipeline=_pipeline(64), test_dataloader=dict(dataset=dataset))
    assert _sides(config, 'street') == [32]
    assert _sides(config, 'b') == [48]  # the files of this one are absent
    assert _sides(config, 'unheard of') == _sides(config, None) == [64]


def test_prepare_keeps_the_original_shape() -> None:
    pipeline = build_pipeline(inference_pipeline(dict(test_pipeline=_pipeline(32)), None))
    item = prepare(pipeline, np.zeros((20, 64, 3), np.uint8), 'x.png')
    assert tuple(item['inputs'].shape) == (3, 10, 32)
    assert item['data_samples'].metainfo['ori_shape'] == (20, 64)
    assert item['data_samples'].metainfo['img_path'] == 'x.png'
