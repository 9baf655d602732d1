from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def doctor(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(ROOT / 'tools' / 'doctor.py')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder dataset of two images."""
    root = tmp_path / 'streets'
    for sub in ('images', 'labels'):
        (root / sub).mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in ('a', 'b'):
        cells = random.integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(cells).save(root / 'images' / f'{name}.png')
        Image.fromarray((np.arange(1024) // 512).reshape(32, 32).astype(np.uint8)).save(root / 'labels' / f'{name}.png')
    (root / 'train.txt').write_text('a')
    (root / 'val.txt').write_text('b')
    (root / 'classes.json').write_text('{"classes": ["road", "sky"]}')
    return root


def test_the_exit_status_says_how_bad_it_is(
    doctor: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.main([str(folder), '--fail-on', 'note']) == 0
    assert '0 errors, 0 warnings, 0 notes' in capsys.readouterr().out
    Image.fromarray(np.full((32, 32), 255, np.uint8)).save(folder / 'labels' / 'b.png')
    assert doctor.main([str(folder)]) == 0
    assert doctor.main([str(folder), '--fail-on', 'warning']) == 1
    Image.fromarray(np.full((32, 32), 9, np.uint8)).save(folder / 'labels' / 'a.png')
    assert doctor.main([str(folder)]) == 1
    assert doctor.main([str(folder), '--fail-on', 'never']) == 0
    assert 'label id 9 is outside the label space' in capsys.readouterr().out


def test_reports_are_written(doctor: ModuleType, folder: Path, tmp_path: Path) -> None:
    html, report = tmp_path / 'report.html', tmp_path / 'report.json'
    assert doctor.main([str(folder), '--html', str(html), '--json', str(report), '--workers', '1']) == 0
    assert html.read_text().startswith('<!DOCTYPE html>')
    assert json.loads(report.read_text())['summary']['images'] == 2


def test_json_alone_is_all_of_the_output(doctor: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([str(folder), '--json'], ['--json', str(folder)]):
        assert doctor.main(arguments) == 0
        assert json.loads(capsys.readouterr().out)['datasets'][0]['name'] == 'streets'


def test_a_config_is_read_with_all_its_loaders(doctor: ModuleType, folder: Path, tmp_path: Path) -> None:
    config = tmp_path / 'config.py'
    config.write_text(
        f"""
steps = [dict(type='LoadImageFromFile'), dict(type='RandomFlip', prob=1.0), dict(type='PackSegInputs')]
train = dict(type='mmlmseg.FolderDataset', data_root={str(folder)!r}, pipeline=[
    steps[0], dict(type='mmlmseg.LoadAnnotations'), *steps[1:]])
lost = dict(type='mmlmseg.FolderDataset', data_root='nowhere', pipeline=steps)
wrong = dict(type='mmlmseg.FolderDataset', data_rot='x')
train_dataloader = dict(dataset=dict(type='RepeatDataset', times=3, dataset=dict(
    type='mmlmseg.MultiDataset', datasets=[train, lost, wrong, dict(train, reduce_zero_label=False)],
    names=['streets', 'lost', 'wrong', 'streets'])))
val_dataloader = dict(dataset=dict(train, split='val', pipeline=steps))
test_dataloader = val_dataloader
"""
    )
    report = tmp_path / 'report.json'
    assert doctor.main([str(config), '--json', str(report)]) == 1
    read = json.loads(report.read_text())
    assert [(one['name'], one['split'], one['images']) for one in read['datasets']] == [
        ('streets', 'train', 1),
        ('lost', 'train', 0),
        ('wrong', 'train', 0),
        ('streets', 'train', 1),
        ('streets', 'val', 1),
    ]
    assert [(one['code'], one['dataset']) for one in read['findings']] == [
        ('dataset', 'lost (train)'),
        ('dataset', 'wrong (train)'),
        ('dataset', 'streets (train)'),
    ]
    assert 'nowhere: no such folder' in read['findings'][0]['what']


def test_parts_that_mmengine_joins_are_one_dataset(doctor: ModuleType, folder: Path, tmp_path: Path) -> None:
    config = tmp_path / 'config.py'
    config.write_text(
        f"""
steps = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadAnnotations'), dict(type='PackSegInputs')]
parts = [dict(type='mmlmseg.FolderDataset', data_root={str(folder)!r}, split=split, pipeline=steps)
         for split in ('train', 'val')]
both = dict(type='ConcatDataset', datasets=parts)
train_dataloader = dict(dataset=both)
val_dataloader = dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=[dict(both, datasets=parts[::-1])]))
del parts
"""
    )
    report = tmp_path / 'report.json'
    doctor.main([str(config), '--json', str(report)])
    read = json.loads(report.read_text())
    assert [(one['name'], one['split'], one['images']) for one in read['datasets']] == [
        ('streets', 'train', 2),
        ('streets', 'val', 2),
    ]


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ([], 'name a config, a folder of a dataset, or an annotation file'),
        (['--workers', '0', '.'], '--workers: at least one thread'),
        (['.', '--html', 'no/such/folder/report.html'], 'cannot be written there'),
        (['.', '--html', '.'], 'cannot be written there'),
        (['nowhere'], 'nowhere: no such file or folder'),
        ([__file__.replace('.py', '.txt')], 'no such file or folder'),
        ([str(ROOT / 'README.md')], 'README.md'),
    ],
)
def test_a_wrong_command_line_ends_with_status_2(
    doctor: ModuleType, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match='2'):
        doctor.main(arguments)
    assert words in capsys.readouterr().err


def test_the_command_prints_nothing_but_json(folder: Path) -> None:
    run = subprocess.run(
        [sys.executable, '-m', 'mmlmseg', 'doctor', str(folder), '--json'], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)['summary']['images'] == 2
