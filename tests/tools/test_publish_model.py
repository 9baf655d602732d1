from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mmlmseg.checkpoint import CheckpointRecord, TextSource
from mmlmseg.errors import CheckpointError
from mmlmseg.label_space import LabelSpace, LabelSpaces


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).resolve().parents[2] / 'tools' / 'publish_model.py')


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    path = tmp_path / 'iter_4.pth'
    spaces = LabelSpaces([LabelSpace.create('street', ['road']), LabelSpace.create('facade', ['wall'])])
    record = CheckpointRecord(spaces, 'softmax', things_only=False, text=TextSource('toy', 'a {name}', 4, ''))
    state = {
        'w': torch.ones(3),
        'decode_head._extra_state': record.pack(),
        'decode_head.text.table': torch.ones(3, 4),
    }
    meta = dict(iter=4, cfg="data_root = '/home/me/data'", seed=1, hook_msgs=dict(last_ckpt='somewhere'))
    torch.save(dict(state_dict=state, ema_state_dict=state, optimizer=dict(big=torch.ones(999)), meta=meta), path)
    return path


def test_keeps_weights_table_and_origin_only(tool: ModuleType, trained: Path) -> None:
    target = tool.publish(trained, trained.with_name('model'))
    assert b'/home/me' not in target.read_bytes()
    published = torch.load(target, weights_only=True)
    assert set(published) == {'state_dict', 'meta'}
    assert 'decode_head.text.table' in published['state_dict']
    assert 'decode_head._extra_state' in published['state_dict']
    assert set(published['meta']) == {'iter', 'seed', 'mmlmseg_version'}
    assert tool.origin(published) == "label spaces street, facade; text rows from toy, 'a {name}'"


def test_is_named_by_its_hash_and_never_overwritten(tool: ModuleType, trained: Path) -> None:
    target = tool.publish(trained, trained.with_name('model'))
    assert target.name == f'model-{hashlib.sha256(target.read_bytes()).hexdigest()[:8]}.pth'
    with pytest.raises(CheckpointError, match='exists already and is not overwritten'):
        tool.publish(trained, trained.with_name('model'))
    assert tool.publish(trained, trained.with_name('other.pth')).name == target.name.replace('model', 'other')


def test_refuses_what_is_no_checkpoint(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / 'x.pth').write_text('no')
    with pytest.raises(CheckpointError, match=r'x\.pth'):
        tool.publish(tmp_path / 'x.pth', tmp_path / 'y')
