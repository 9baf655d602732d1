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


def test_models_are_compared_and_their_counts_serve_again(
    tool: ModuleType, models: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two seeds of one model, and ``--single`` twice; then parts of them again, from their counts."""

    def report(out: Path, *options: str) -> dict[str, Any]:
        assert tool.main([*options, '--out', str(out), '--device', 'cpu']) == 0
        return json.loads((out / 'transfer.json').read_text())

    out = tmp_path / 'out'
    singles = ['--single', models['wardrobe'], '--single', models['street']]
    whole = report(out, '--joint', models['joint'], models['again'], *singles, '--images', '2')
    assert [(own['dataset'], own['images'], own['single']['trained_on']) for own in whole['datasets']] == [
        ('street', 2, ['street']),
        ('wardrobe', 2, ['wardrobe']),
    ]
    assert whole['joint'] == dict(models=[models['joint'], models['again']], trained_on=['street', 'wardrobe'])
    files = {name: str(out / f'{name}.npz') for name in ('joint_1', 'joint_2', 'single_1', 'single_2')}
    rows = [(own['dataset'], own['name']) for own in whole['classes']]
    told = [(own['dataset'], own['name']) for own in whole['left_out']]
    classes = [(own.dataset, name) for own in read_counts(files['joint_1']).datasets for name in own.classes]
    assert sorted([*rows, *told]) == sorted(classes)
    page = (out / 'transfer.html').read_text()
    assert all(f'<td>{name}</td><td>{dataset}</td>' in page for dataset, name in rows)

    again = tmp_path / 'again'
    given = ['--joint', files['joint_1'], files['joint_2'], '--single', files['single_1'], files['single_2']]
    assert report(again, *given) == whole

    part = report(again, '--joint', files['joint_1'], '--single', files['single_2'])
    why = 'no single model was counted on it'
    assert part['left_out'][0] == dict(dataset='wardrobe', name=None, why=why)
    assert f'not compared: wardrobe: {why}' in capsys.readouterr().out
    assert f'<td>wardrobe</td><td>{why}</td>' in (again / 'transfer.html').read_text()

    report(again, '--joint', files['joint_1'], '--single', files['joint_2'])
    assert 'the single model of wardrobe was trained on street, wardrobe' in capsys.readouterr().out
    assert '<td class="wide">street, wardrobe</td>' in (again / 'transfer.html').read_text()


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
