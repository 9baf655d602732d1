from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from mmlmseg.checkpoint import label_spaces_of
from mmlmseg.checkpoint_files import read_checkpoint
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.label_space import LabelSpace

RESI = dict(
    queries=dict(type='mmlmseg.LabelSpaceQueries', num_queries=4),
    decoder=dict(type='mmlmseg.MaskedAttentionDecoder', num_levels=1, num_layers=1, num_heads=4, ffn_channels=32),
)
PARTS = ['decode_head.queries.own.0', 'decode_head.adapters.own.0']


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).resolve().parents[2] / 'tools' / 'add_label_space.py')


@pytest.fixture
def workplace(tmp_path: Path, model_config: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a trained model of one label space, and a config of two, the new one first."""
    for space in ('street', 'facade'):
        write_folder_dataset(tmp_path / space, space, range(2), range(2, 3), size=(64, 64))
    old = MODELS.build(model_config(label_spaces=[LabelSpace.from_json(tmp_path / 'street')], **RESI))
    torch.save(dict(state_dict=old.state_dict()), tmp_path / 'old.pth')
    spaces = [str(tmp_path / space) for space in ('facade', 'street')]
    adapters = dict(facade=dict(type='mmlmseg.SpaceAdapter', width=8))
    model = model_config(label_spaces=spaces, adapters=adapters, **RESI)
    Config(dict(model=model, default_scope='mmseg')).dump(tmp_path / 'listed.py')
    del model['decode_head']['label_spaces']
    datasets = [dict(type='mmlmseg.FolderDataset', data_root=folder) for folder in spaces]
    train = dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=datasets))
    Config(dict(model=model, default_scope='mmseg', train_dataloader=train)).dump(tmp_path / 'derived.py')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, 'argv', ['add_label_space.py', *arguments])
    tool.main()


@pytest.mark.parametrize('config', ['listed', 'derived'])
def test_writes_a_checkpoint_and_says_how_to_train_it(
    tool: ModuleType, workplace: Path, config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tool, monkeypatch, 'old.pth', f'{config}.py', 'new/start.pth')
    said = capsys.readouterr().out
    names = {PARTS[0], *(f'{PARTS[1]}.{layer}.{what}' for layer in ('down', 'up') for what in ('weight', 'bias'))}
    assert names <= set(said.split())
    line = re.search(r'custom_hooks = (.*)', said)
    assert line is not None
    assert eval(line[1]) == [dict(type='mmlmseg.FreezeHook', trained=PARTS)]
    assert "load_from = 'new/start.pth'" in said

    old, new = (read_checkpoint(file)['state_dict'] for file in ('old.pth', 'new/start.pth'))
    assert label_spaces_of(new).names == ('facade', 'street')
    assert new['decode_head.queries.own.1'].equal(old['decode_head.queries.own.0'])
    moved = ('decode_head.queries.own', '_extra_state', 'text.table')
    assert all(new[name].equal(value) for name, value in old.items() if not any(part in name for part in moved))
    assert {name for name in new if name.startswith(tuple(PARTS))} == names


def test_equal_seeds_start_equally(tool: ModuleType, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seed in (('a', 1), ('b', 1), ('c', 2)):
        torch.rand(7)
        run(tool, monkeypatch, 'old.pth', 'listed.py', f'{name}.pth', '--seed', str(seed))
    key = 'decode_head.adapters.own.0.down.weight'
    a, b, c = (read_checkpoint(f'{name}.pth')['state_dict'][key] for name in 'abc')
    assert a.equal(b)
    assert not a.equal(c)


def test_faults_are_told_in_a_line(
    tool: ModuleType, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, message in (
        (('old.pth', 'listed.py', 'old.pth'), r'old\.pth: exists already and is not overwritten'),
        (('olt.pth', 'listed.py', 'new.pth'), r'olt\.pth: does not exist.*Did you mean: old\.pth'),
        (('old.pth', 'lister.py', 'new.pth'), r'lister\.py: no such config file.*listed\.py'),
    ):
        with pytest.raises(SystemExit) as error:
            run(tool, monkeypatch, *arguments)
        assert error.value.code == 2
        assert re.search(f'^error: .*{message}', capsys.readouterr().err, re.MULTILINE)
    run(tool, monkeypatch, 'old.pth', 'listed.py', 'new.pth')
    with pytest.raises(SystemExit):
        run(tool, monkeypatch, 'new.pth', 'listed.py', 'newer.pth')
    assert 'give it all those of the checkpoint, and at least one more' in capsys.readouterr().err
    assert not (workplace / 'newer.pth').exists()
