"""The command line of tools/predict.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmlmseg.registry import MODELS


@pytest.fixture
def predict(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).resolve().parents[2] / 'tools' / 'predict.py')


@pytest.fixture
def files(model_config: Callable[..., dict], tmp_path: Path) -> list[str]:
    """Config, checkpoint and folder of images, as the command line takes them."""
    street, facade = ['sky', 'building', 'tree', 'road', 'car'], ['wall', 'window', 'building']
    spaces = [dict(name='street', classes=street), dict(name='facade', classes=facade)]
    config = Config(dict(model=model_config(spaces), default_scope='mmseg', custom_imports=dict(imports=['mmlmseg'])))
    config.dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), tmp_path / 'tiny.pth')
    (tmp_path / 'images').mkdir()
    for index in range(2):
        image = np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / 'images' / f'photo{index}.png'), image)
    return [str(tmp_path / name) for name in ('config.py', 'tiny.pth', 'images')]


def test_named_space_and_free_list(
    predict: ModuleType, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out_dir = tmp_path / 'out'
    status = predict.main([*files, '--label-space', 'facade', '--out-dir', str(out_dir), '--device', 'cpu'])
    printed = capsys.readouterr().out
    assert status == 0
    assert 'photo0.png' in printed
    assert 'photo1.png' in printed
    assert '%' in printed
    for folder in ('pred', 'vis'):
        assert sorted(p.name for p in (out_dir / folder).iterdir()) == ['photo0.png', 'photo1.png']
    assert predict.main([*files, '--classes', 'sky, house', '--batch-size', '2', '--device', 'cpu']) == 0
    assert any(name in capsys.readouterr().out for name in ('sky', 'house'))


def test_several_spaces_and_tasks(predict: ModuleType, files: list[str], tmp_path: Path) -> None:
    out_dir = tmp_path / 'out'
    common = [*files, '--out-dir', str(out_dir), '--device', 'cpu']
    groups = ['--exclusive', 'street:sky + facade:wall; street:car']
    assert predict.main([*common, '--label-spaces', 'street, facade', '--task', 'mixed', *groups]) == 0
    expected = {f'photo{i}{end}' for i in range(2) for end in ('.json', '_street.png', '_facade.png')}
    assert {path.name for path in (out_dir / 'pred').iterdir()} == expected
    assert predict.main([*common, '--label-space', 'facade', '--task', 'panoptic']) == 0
    for wrong in (
        ['--label-spaces', 'street,facade', '--exclusive', 'street:cra'],
        ['--label-space', 'street', '--exclusive', 'street'],
        ['--label-space', 'street', '--task', 'instance'],
        ['--label-space', 'street', '--task', 'mixed'],
    ):
        with pytest.raises(SystemExit, match='2'):
            predict.main([*common, *wrong])


def test_masks_go_to_annotation_tools(predict: ModuleType, files: list[str], tmp_path: Path) -> None:
    (tmp_path / 'images' / 'town').mkdir()
    (tmp_path / 'images' / 'photo0.png').rename(tmp_path / 'images' / 'town' / 'photo0.png')
    out = tmp_path / 'labels' / 'coco.json'
    inputs = [*files[:2], str(tmp_path / 'images' / 'photo1.png'), str(tmp_path / 'images' / 'town')]
    assert predict.main([*inputs, '--label-space', 'facade', '--coco', str(out), '--device', 'cpu']) == 0
    content = json.loads(out.read_text())
    assert [one['file_name'] for one in content['images']] == ['photo1.png', 'town/photo0.png']
    assert {one['height'] * one['width'] for one in content['images']} == {48 * 64}
    assert sum(one['area'] for one in content['annotations']) == 2 * 48 * 64
    assert [one['name'] for one in content['categories']] == ['wall', 'window', 'building']


def test_list_label_spaces(predict: ModuleType, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert predict.main([*files[:2], '--list-label-spaces']) == 0
    printed = capsys.readouterr().out
    assert 'street' in printed
    assert 'facade' in printed
    assert 'window' in printed


def test_errors_are_one_line(predict: ModuleType, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='2'):
        predict.main([*files, '--label-space', 'fasade', '--device', 'cpu'])
    assert "error: unknown label space 'fasade'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        predict.main(files[:2])
    with pytest.raises(SystemExit):
        predict.main([*files, '--label-space', 'facade', '--classes', 'sky'])


def test_tiles_and_limits(predict: ModuleType, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    common = [*files, '--label-space', 'street', '--device', 'cpu']
    assert predict.main([*common, '--tiles', '32', '0']) == 0
    assert 'photo1.png' in capsys.readouterr().out
    for wrong, message in (
        (['--tiles', '100'], 'multiples of 32'),
        (['--tiles', '32', '0', '1'], 'a size and an overlap, not 3 numbers'),
        (['--max-per-image', '0'], 'from 1 on, got 0'),
    ):
        with pytest.raises(SystemExit, match='2'):
            predict.main([*common, *wrong])
        assert message in capsys.readouterr().err
