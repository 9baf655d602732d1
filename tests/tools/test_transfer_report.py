"""tools/analysis/transfer.py: from two models, or their saved counts, to the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mmlmseg.gains.archive import read_counts
from mmlmseg.gains.counts import ImageCounts
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.registry import MODELS


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).resolve().parents[2] / 'tools' / 'analysis' / 'transfer.py')


@pytest.fixture
def models(model_config: Callable[..., dict[str, Any]], tmp_path: Path) -> dict[str, str]:
    """Random models of two datasets, two seeds of it, and of each alone."""
    parts = []
    for name in ('street', 'wardrobe'):
        root = write_folder_dataset(tmp_path / name, name, train=[0], val=range(1, 4), size=(32, 48))
        pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
        parts.append(dict(type='mmlmseg.FolderDataset', data_root=str(root), split='val', pipeline=pipeline))
    found = {}
    for name, own, seed in (
        ('joint', parts, 0),
        ('again', parts, 1),
        ('street', parts[:1], 2),
        ('wardrobe', parts[1:], 3),
    ):
        torch.manual_seed(seed)
        model = model_config([part['data_root'] for part in own])
        sampler = dict(type='DefaultSampler', shuffle=False)
        loader = dict(
            batch_size=2, num_workers=0, sampler=sampler, dataset=dict(type='mmlmseg.MultiDataset', datasets=own)
        )
        config = Config(
            dict(model=model, default_scope='mmseg', test_dataloader=loader, test_evaluator={}, test_cfg={})
        )
        config.dump(tmp_path / f'{name}.py')
        torch.save(dict(state_dict=MODELS.build(model).state_dict()), tmp_path / f'{name}.pth')
        found[name] = f'{tmp_path}/{name}.py:{tmp_path}/{name}.pth'
    return found


def test_one_model_stands_against_one_of_each_dataset(tool: ModuleType, models: dict[str, str], tmp_path: Path) -> None:
    """Two seeds of it, and ``--single`` twice; from models, and again from their counts."""
    out = tmp_path / 'out'
    given = ['--joint', models['joint'], models['again'], '--single', models['wardrobe'], '--single', models['street']]
    assert tool.main([*given, '--out', str(out), '--device', 'cpu']) == 0
    report = json.loads((out / 'transfer.json').read_text())
    assert [(own['dataset'], own['single']['trained_on']) for own in report['datasets']] == [
        ('street', ['street']),
        ('wardrobe', ['wardrobe']),
    ]
    assert report['joint'] == dict(models=[models['joint'], models['again']], trained_on=['street', 'wardrobe'])
    rows = [(own['dataset'], own['name']) for own in report['classes']]
    told = [(own['dataset'], own['name']) for own in report['left_out']]
    assert (
        len({*rows, *told}) == len(rows) + len(told) == sum(len(own.classes) for own in counts_of(out / 'joint_1.npz'))
    )
    page = (out / 'transfer.html').read_text()
    assert all(f'<td>{name}</td><td>{dataset}</td>' in page for dataset, name in rows)
    saved = ['--joint', *(str(out / f'joint_{i}.npz') for i in (1, 2))]
    saved += ['--single', *(str(out / f'single_{i}.npz') for i in (1, 2)), '--out', str(tmp_path / 'again')]
    assert tool.main(saved) == 0
    assert (tmp_path / 'again' / 'transfer.json').read_text() == (out / 'transfer.json').read_text()


def counts_of(file: Path) -> tuple[ImageCounts, ...]:
    """Of all datasets in a file."""
    return read_counts(file).datasets


def test_what_is_not_compared_is_told(
    tool: ModuleType, models: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'out'
    given = ['--joint', models['joint'], '--single', models['street'], '--images', '2', '--out', str(out)]
    assert tool.main([*given, '--device', 'cpu']) == 0
    said = capsys.readouterr().out
    assert 'not compared: wardrobe: no single model was counted on it' in said
    report = json.loads((out / 'transfer.json').read_text())
    assert report['left_out'][0] == dict(dataset='wardrobe', name=None, why='no single model was counted on it')
    assert [own['images'] for own in report['datasets']] == [2]
    assert '<td>wardrobe</td><td>no single model was counted on it</td>' in (out / 'transfer.html').read_text()


def test_a_rival_of_several_datasets_is_called_so(
    tool: ModuleType, models: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ['--joint', models['joint'], '--single', models['again'], '--out', str(tmp_path), '--device', 'cpu']
    assert tool.main(given) == 0
    assert 'the single model of wardrobe was trained on street, wardrobe' in capsys.readouterr().out
    assert '<td class="wide">street, wardrobe</td>' in (tmp_path / 'transfer.html').read_text()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--joint', 'none.npz', '--single', 'b.npz'], 'none.npz: no such file'),
        (['--joint', 'model', '--single', 'b.npz'], 'model: write CONFIG:CHECKPOINT'),
        (['--joint', 'a.npz', '--single', 'b.npz', '--rate', '5'], '--rate 5.0: a share between 0 and 1'),
        (['--joint', 'a:b', '--single', 'b.npz', '--images', '0'], '--images 0: a number from 1 on'),
        (['--joint', 'a.npz', '--single', 'b.npz', '--images', '3'], '--images 3: a.npz, b.npz are counted already'),
        (['--joint', 'a:b', '--single', 'out/joint_1.npz', '--out', 'out'], 'would be overwritten; write elsewhere'),
    ],
)
def test_what_cannot_be_is_told(
    tool: ModuleType, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        tool.main(arguments)
    assert message in capsys.readouterr().err
