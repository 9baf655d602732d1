from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.planning import evaluating, steps

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
_base_ = {demo!r}
load = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadAnnotations')]
pad = dict(type='Pad', size=(128, 96), pad_val=dict(img=128, seg=255))
folder = dict(type='mmlmseg.FolderDataset')
train = dict(folder, split='train', pipeline=[*load, pad, dict(type='mmlmseg.PackSegments')])
val = dict(folder, split='val', pipeline=[*load, dict(type='mmlmseg.PackSegments')])
model = {model!r}
train_dataloader = dict(
    batch_size={batch_size},
    num_workers=0,
    persistent_workers=False,
    sampler=dict(ratio=dict(street=3, facade=1)),
    dataset=dict(datasets=[dict(train, data_root=root) for root in {folders!r}]),
)
val_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dict(datasets=[dict(val, data_root=root) for root in {folders!r}])
)
test_dataloader = val_dataloader
train_cfg = dict(max_iters=8, val_interval=3)
default_hooks = dict(checkpoint=dict(interval=1))
"""


@pytest.fixture
def plan(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(ROOT / 'tools' / 'plan.py')


@pytest.fixture
def config(
    tmp_path: Path, model_config: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Writes the config of a tiny training on two folders; few steps are measured."""
    for name, value in dict(STEPS=3, REPEATS=2, WARM_UP=1).items():
        monkeypatch.setattr(steps, name, value)
    monkeypatch.setattr(evaluating, 'REPEATS', 1)
    monkeypatch.setattr(Config, 'pretty_text', '')  # mmengine lays a config out three times, in seconds each
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.chdir(tmp_path)
    folders = [
        str(write_folder_dataset(tmp_path / name, name, range(4), range(4, 7), size=(48, 128)))
        for name in ('street', 'facade')
    ]

    def write(batch_size: int = 2) -> str:
        model = {**model_config(in_channels=[8, 16, 32, 64]), '_delete_': True}
        model['backbone']['base_channels'] = 8
        del model['decode_head']['label_spaces']  # those of the datasets
        demo = str(ROOT / 'configs' / 'demo' / 'lmseg_demo.py')
        text = CONFIG.format(demo=demo, model=model, folders=folders, batch_size=batch_size)
        (tmp_path / 'tiny.py').write_text(text)
        return str(tmp_path / 'tiny.py')

    return write


@pytest.mark.parametrize('batch_size', [2, pytest.param(1, marks=pytest.mark.slow)])
def test_a_tiny_training_is_planned(
    plan: ModuleType,
    config: Callable[..., str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    batch_size: int,
) -> None:
    assert plan.main([config(batch_size), '--memory', '64GB', '--json', str(tmp_path / 'plan.json')]) == 0
    found = json.loads((tmp_path / 'plan.json').read_text())
    measured, predicted = found['measured'], found['predicted']
    assert measured['schedule'] == dict(iterations=8, validations=3)  # at 3, 6, 8
    assert [one['name'] for one in measured['datasets']] == ['street', 'facade']
    assert [one['probability'] for one in measured['datasets']] == [0.75, 0.25]
    assert predicted['epochs'] == dict(street=8 * batch_size * 0.75 / 4, facade=8 * batch_size * 0.25 / 4)
    assert all(one['pixels']['padding'] == 0.5 for one in measured['datasets'])  # 48 of 96 rows
    assert all(0.3 < one['pixels']['useful'] <= 0.5 for one in measured['datasets'])
    assert all(one['load_seconds'] > 0 and one['step_seconds'] > 0 for one in measured['datasets'])
    assert measured['evaluation']['images'] == dict(street=3, facade=3)
    assert measured['loop']['steps'] == 3
    assert sorted(map(int, measured['memory'])) == [1, 2]
    parts = measured['parameters']['parts']
    assert parts['backbone'][0] > parts['decode_head.decoder'][0] > 0
    assert predicted['hours'] > 0
    assert 'in all' in capsys.readouterr().out
    assert not (tmp_path / 'work_dirs').exists()  # nothing stays of the training


@pytest.mark.slow
def test_a_shorter_training_has_its_own_schedule(plan: ModuleType, config: Callable[..., str], tmp_path: Path) -> None:
    assert plan.main([config(), '--iterations', '2', '--datasets', 'street', '--json', str(tmp_path / 'a.json')]) == 0
    measured = json.loads((tmp_path / 'a.json').read_text())['measured']
    assert measured['schedule'] == dict(iterations=2, validations=1)
    assert [one['name'] for one in measured['datasets']] == ['street']


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (['--memory', '24'], "--memory '24': write a number above 0 and its unit"),
        (['--iterations', '0'], '0 iterations'),
        (['--datasets', 'streets'], "no dataset 'streets'"),
        (['--against', '.'], 'holds no */vis_data/scalars.json'),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(
    plan: ModuleType,
    config: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(plan, 'measure', lambda cfg: pytest.fail('measured'))
    with pytest.raises(SystemExit) as ended:
        plan.main([config(), *options])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_training_without_data_is_refused(
    plan: ModuleType, config: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'facade' / 'images').rename(tmp_path / 'elsewhere')
    with pytest.raises(SystemExit):
        plan.main([config()])
    assert 'facade/images: no such folder' in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_a_gpu_that_is_not_there_is_refused(
    plan: ModuleType, config: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        plan.main([config(), '--device', 'cuda'])
    assert '--device cuda: torch sees no GPU here' in capsys.readouterr().err


@pytest.mark.parametrize('option', [['--json', 'nowhere/plan.json'], ['--against', 'nowhere'], ['--device', 'tpu']])
def test_mistakes_of_the_command_line_end_with_status_2(plan: ModuleType, option: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        plan.parse_args(['config.py', *option])
    assert ended.value.code == 2
