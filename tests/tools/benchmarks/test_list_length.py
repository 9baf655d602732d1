"""Longer class lists: which names are added, and what a model loses by them."""

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
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.decoders.category_guided import CategoryGuidedDecoder
from mmlmseg.registry import MODELS


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).resolve().parents[3] / 'tools' / 'benchmarks' / 'list_length.py')


def test_a_list_grows_behind_its_classes(tool: ModuleType) -> None:
    space = LabelSpace.create('street', ['building', 'car', 'road'])
    assert tool.longer(space, ['cow', 'sofa']).classes == ('building', 'car', 'road', 'cow', 'sofa')


@pytest.fixture
def files(model_config: Callable[..., dict[str, Any]], tmp_path: Path) -> list[str]:
    parts = []
    for name in ('street', 'wardrobe'):
        root = write_folder_dataset(tmp_path / name, name, train=[0], val=range(1, 3), size=(32, 48))
        pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
        parts.append(dict(type='mmlmseg.FolderDataset', data_root=str(root), split='val', pipeline=pipeline))
    model = model_config([part['data_root'] for part in parts])
    loader = dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type='mmlmseg.MultiDataset', datasets=parts),
    )
    config = Config(dict(model=model, default_scope='mmseg', test_dataloader=loader, test_evaluator={}, test_cfg={}))
    config.dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=MODELS.build(model).state_dict()), tmp_path / 'tiny.pth')
    return [str(tmp_path / 'config.py'), str(tmp_path / 'tiny.pth')]


def test_scores_under_each_list_are_written(tool: ModuleType, files: list[str], tmp_path: Path) -> None:
    out = tmp_path / 'out' / 'list.json'
    assert tool.main([*files, '--classes', '60', '--out', str(out), '--device', 'cpu']) == 0
    for lists in json.loads(out.read_text())['datasets'].values():
        own, others, free = (lists[name] for name in tool.LISTS)
        assert own['strange'] == 0
        assert own['names'] < others['names'] < free['names'] == 60
        assert free['strange'] > 0  # random weights call pixels by any name
        assert own['mIoU'] > free['mIoU']


def test_a_decoder_that_reads_own_classes_alone_is_as_under_its_own_list(
    tool: ModuleType, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / 'list.json'
    seen: list[list[int]] = []
    forward = CategoryGuidedDecoder.forward

    def recorded(self: Any, content: Any, position: Any, memory: Any, categories: Any, masks_at: Any) -> Any:
        seen.append(categories.valid.sum(1).tolist())
        return forward(self, content, position, memory, categories, masks_at)

    monkeypatch.setattr(CategoryGuidedDecoder, 'forward', recorded)
    tool.main([*files, '--classes', '60', '--guided-by-own', '--images', '1', '--out', str(out), '--device', 'cpu'])
    found = json.loads(out.read_text())['datasets']
    assert len(seen) == 2 * 5
    for place, lists in enumerate(found.values()):
        own, others, free, *guided = (one['names'] for one in lists.values())
        assert [n - 1 for (n,) in seen[5 * place : 5 * place + 5]] == [own, others, free, own, own]
        assert guided == [others, free]  # what it is classified as stays as long


def test_a_list_that_cannot_be_as_long_is_refused(
    tool: ModuleType, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        tool.main([*files, '--classes', '9999', '--out', str(tmp_path / 'x.json'), '--device', 'cpu'])
    assert 'can stand beside them' in capsys.readouterr().err
