"""From what a user names to images, and the test transforms of a config, without loading."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmlmseg.apis import expand_inputs, read_image
from mmlmseg.apis.inputs import inference_pipeline
from mmlmseg.datasets import CheckDepth, Trace
from mmlmseg.errors import DataError
from mmlmseg.label_space import LabelSpaces

BLUE = np.full((4, 6, 3), (255, 0, 0), np.uint8)  # in BGR


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ('b.png', 'a.JPG', 'c.bmp', '[1].png'):
        cv2.imwrite(str(tmp_path / name), BLUE)
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / 'deeper').mkdir()
    return tmp_path


def test_folder_glob_file_array_and_lists(folder: Path) -> None:
    assert [p.name for p in expand_inputs(folder)] == ['[1].png', 'a.JPG', 'b.png', 'c.bmp']
    assert [p.name for p in expand_inputs(f'{folder}/?.*')] == ['a.JPG', 'b.png', 'c.bmp']
    assert expand_inputs(f'{folder}/[1].png') == [folder / '[1].png']  # a file before a glob
    mixed = expand_inputs([BLUE, str(folder / 'b.png'), folder])
    assert mixed[0] is BLUE
    assert len(mixed) == 6


def test_what_leads_to_no_image_is_an_error(folder: Path) -> None:
    with pytest.raises(DataError, match=r'missing.png: no such image'):
        expand_inputs(folder / 'missing.png')
    with pytest.raises(DataError, match=r'deeper: the folder holds no image'):
        expand_inputs(folder / 'deeper')
    with pytest.raises(DataError, match=r'list of inputs is empty'):
        expand_inputs([])


def test_images_are_bgr(folder: Path) -> None:
    assert np.array_equal(read_image(folder / 'b.png'), BLUE)
    assert read_image(BLUE) is BLUE
    assert read_image(np.zeros((3, 5), np.uint8)).shape == (3, 5, 3)


def test_unreadable_images_are_errors(folder: Path) -> None:
    (folder / 'empty.png').write_bytes(b'')
    for name in ('notes.txt', 'empty.png'):
        with pytest.raises(DataError, match=name):
            read_image(folder / name)
    with pytest.raises(DataError, match=r'missing.png'):
        read_image(folder / 'missing.png')
    with pytest.raises(DataError, match=r'must be uint8'):
        read_image(BLUE.astype(np.float32))
    with pytest.raises(DataError, match=r'\[4, 6, 4\]'):
        read_image(np.zeros((4, 6, 4), np.uint8))


def _pipeline(side: int) -> list[dict]:
    return [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(side, side), keep_ratio=True),
        dict(type='mmseg.LoadAnnotations'),
        dict(type='PackSegInputs'),
    ]


def _kinds(config: dict, *spaces: str) -> list[str]:
    steps = inference_pipeline(config, spaces).rest.transforms
    return [type(step).__name__ for step in steps if not isinstance(step, (CheckDepth, Trace))]


def _sides(config: dict, *spaces: str, trained: LabelSpaces | None = None) -> list[int]:
    steps = inference_pipeline(Config(config), spaces, trained).rest.transforms
    return [step.scale[0] for step in steps if type(step).__name__ == 'Resize']


def test_test_pipeline_serves_where_no_dataset_is_meant_and_is_left_alone() -> None:
    config = dict(test_pipeline=_pipeline(64), test_dataloader=dict(dataset=dict(pipeline=_pipeline(32))))
    before = copy.deepcopy(config)
    assert _kinds(config, 'any') == ['Resize', 'PackSegInputs']
    assert _sides(config, 'any') == _sides(config) == [64]
    assert config == before
    assert _kinds({}) == ['PackSegInputs']


def test_each_label_space_has_the_pipeline_of_its_dataset() -> None:
    members = [
        dict(type='CityscapesDataset', pipeline=_pipeline(1024)),
        dict(type='mmlmseg.FolderDataset', pipeline=_pipeline(96)),
    ]
    dataset = dict(type='mmlmseg.MultiDataset', datasets=members, names=['streets', 'photos'])
    config = dict(test_dataloader=dict(dataset=dataset))
    assert _sides(config, 'cityscapes') == [1024]
    assert _sides(config, 'photos') == [96]
    assert _sides(config) == _sides(config, 'unheard of') == [1024]


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
    assert _sides(config, 'unheard of') == _sides(config) == [64]


def test_prepare_keeps_the_original_shape(tmp_path: Path) -> None:
    pipeline = inference_pipeline(dict(test_pipeline=_pipeline(32)))
    cv2.imwrite(str(tmp_path / 'x.png'), np.zeros((20, 64, 3), np.uint8))
    for source, name in ((tmp_path / 'x.png', str(tmp_path / 'x.png')), (np.zeros((20, 64), np.uint8), 'an array')):
        loaded = pipeline.load(source)
        item = pipeline.prepare(loaded)
        assert tuple(item['inputs'].shape) == (3, 10, 32)
        assert item['data_samples'].metainfo['ori_shape'] == (20, 64)
        assert item['data_samples'].metainfo['img_path'] == name
        assert loaded['img'].shape == (20, 64, 3)  # kept, to draw on
