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

from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.registry import MODELS


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).resolve().parents[2] / 'tools' / 'analysis' / 'transfer.py')


@pytest.fixture
def models(model_config: Callable[..., dict[str, Any]], tmp_path: Path) -> list[str]:
    """Of two datasets, and of the first alone."""
    parts = []
    for name in ('street', 'wardrobe'):
        root = write_folder_dataset(tmp_path / name, name, train=[0], val=range(1, 4), size=(32, 48))
        pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
        parts.append(dict(type='mmlmseg.FolderDataset', data_root=str(root), split='val', pipeline=pipeline))
    found = []
    for name, own in (('joint', parts), ('alone', parts[:1])):
        torch.manual_seed(len(own))
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
        found.append(f'{tmp_path}/{name}.py:{tmp_path}/{name}.pth')
    return found


def test_a_report_is_written_and_its_counts_serve_again(
    tool: ModuleType, models: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'out'
    assert tool.main(['--joint', models[0], '--single', models[1], '--out', str(out), '--device', 'cpu']) == 0
    report = json.loads((out / 'transfer.json').read_text())
    assert set(report['summary']) == {'street'}
    assert sum(report['summary']['street'].values()) == len(report['classes'])
    page = (out / 'transfer.html').read_text()
    assert all(f'<td>{own["name"]}</td>' in page for own in report['classes'])
    again = tmp_path / 'again'
    saved = ['--joint', str(out / 'joint.npz'), '--single', str(out / 'single_1.npz')]
    assert tool.main([*saved, '--out', str(again)]) == 0
    assert (again / 'transfer.json').read_text() == (out / 'transfer.json').read_text()
    assert 'undecided' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--joint', 'none.npz', '--single', 'b.npz'], 'none.npz: holds no counts'),
        (['--joint', 'model', '--single', 'b.npz'], 'model: write CONFIG:CHECKPOINT'),
        (['--joint', 'a.npz', '--single', 'b.npz', '--rate', '5'], '--rate 5.0: a share between 0 and 1'),
    ],
)
def test_what_cannot_be_is_told(
    tool: ModuleType, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        tool.main(arguments)
    assert message in capsys.readouterr().err
