"""Five kinds of other names, and what a model loses by them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.config import Config
from rich.console import Console

from mmlmseg.errors import OptionError
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.label_space import LabelSpace
from mmlmseg.registry import MODELS


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).resolve().parents[3] / 'tools' / 'benchmarks' / 'renaming_stress.py')


def test_the_committed_names_are_those_of_classes(tool: ModuleType) -> None:
    listed = tool.read_renamings(tool.RENAMINGS)
    assert all(len(names) > 20 for names in listed.values())
    for names in listed.values():
        assert not [c for c, name in names.items() if c == name]


@pytest.mark.parametrize(
    ('name', 'expected'), [('sky', 'syk'), ('traffic light', 'trfafic light'), ('tree', 'tere'), ('ooo', 'oooo')]
)
def test_misspellings_follow_a_rule(tool: ModuleType, name: str, expected: str) -> None:
    assert tool.misspelt(name) == expected


def test_a_new_name_is_of_one_class(tool: ModuleType) -> None:
    space = LabelSpace.create('s', ['building', 'structure', 'shop', 'house'])
    names = dict(building='structure', shop='store', house='Store', elsewhere='x')
    assert tool.new_names(space, names) == {'shop': 'store'}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'cannot be read'),
        ('synonym: {}', 'needs the kinds synonym, hypernym, plural, paraphrase'),
        ('{synonym: [a], hypernym: {}, plural: {}, paraphrase: {}}', 'synonym must be'),
    ],
)
def test_unusable_lists_are_named(tool: ModuleType, tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / 'names.yml'
    if content is not None:
        file.write_text(content)
    with pytest.raises(OptionError, match=rf'names\.yml: .*{message}'):
        tool.read_renamings(file)


def test_a_bank_says_what_it_cannot_read(
    tool: ModuleType, model_config: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    write_folder_dataset(tmp_path / 'street', 'street', [0], range(1, 3), size=(64, 96))
    steps = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    folder = dict(type='mmlmseg.FolderDataset', data_root=str(tmp_path / 'street'), split='val', pipeline=steps)
    model = model_config([str(tmp_path / 'street')])
    config = Config(
        dict(
            model=model,
            test_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(type='mmlmseg.MultiDataset', datasets=[folder]),
                collate_fn=dict(type='pseudo_collate'),
            ),
            test_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIoU')),
            test_cfg=dict(type='TestLoop'),
            default_scope='mmseg',
        )
    )
    config.dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=MODELS.build(model).state_dict()), tmp_path / 'tiny.pth')
    out = tmp_path / 'out.json'
    files = [str(tmp_path / 'config.py'), str(tmp_path / 'tiny.pth'), '--out', str(out), '--device', 'cpu']
    assert tool.main(files) == 0
    kinds = {kind: own['street'] for kind, own in json.loads(out.read_text())['kinds'].items()}
    assert kinds['misspelling']['names'] > 0 == kinds['misspelling']['renamed']
    assert kinds['misspelling']['after'] is None
    assert 0 < kinds['plural']['renamed'] < kinds['plural']['names']
    assert kinds['synonym']['after'] is not None
    console = Console(record=True, width=160)
    tool.show(json.loads(out.read_text())['kinds'], console)
    assert 'cannot be read' in console.export_text()
