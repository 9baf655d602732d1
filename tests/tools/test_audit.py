from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.relations import Relations

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(TOOLS / 'audit.py')


def test_stock_datasets_are_compared_by_name(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, relations = tmp_path / 'audit.json', tmp_path / 'relations.yml'
    arguments = ['ADE20KDataset', 'CityscapesDataset', '--json', str(file), '--relations', str(relations)]
    assert tool.main(arguments) == 0
    told = capsys.readouterr().out
    assert 'same    ade20k:wall = cityscapes:wall' in told
    assert 'inside  ade20k:van ⊂ cityscapes:car' in told
    assert [one['name'] for one in json.loads(file.read_text())['label_spaces']] == ['ade20k', 'cityscapes']
    assert ('ade20k:van', 'cityscapes:car') in Relations.from_config(relations).inside


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    for name in ('street', 'facade'):
        write_folder_dataset(tmp_path / name, name, range(1), range(1, 3), size=(64, 96))
    return [str(tmp_path / name) for name in ('street', 'facade')]


def test_folders_are_shown_in_pictures(tool: ModuleType, folders: list[str], tmp_path: Path) -> None:
    page = tmp_path / 'audit.html'
    assert tool.main([*folders, '--html', str(page)]) == 0
    text = page.read_text()
    assert 'data:image/jpeg' in text
    assert 'street:sky is the same as facade:sky' in text


def test_a_model_is_asked(
    tool: ModuleType, folders: list[str], model_config: Callable[..., dict], tested: Any, tmp_path: Path
) -> None:
    _, (config, weights) = tested(model_config(folders, text=False), folders)
    arguments = [config, '--weights', weights, '--images', '1']
    assert tool.main([*arguments, '--json', str(tmp_path / 'audit.json')]) == 0
    claims = json.loads((tmp_path / 'audit.json').read_text())['claims']
    asked = tool.ask(tool.parse_args(arguments))
    assert {pair: confusion.images for pair, confusion in asked.items()} == {
        (a, b): 1 for a in ('street', 'facade') for b in ('street', 'facade')
    }
    assert any(claim['first'] == 'street:sky' for claim in claims)


def test_one_label_space_has_nothing_to_be_compared_with(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tool.main(['ADE20KDataset'])
    assert 'only the label space ade20k is there' in capsys.readouterr().err


def test_weights_are_of_one_config(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tool.parse_args(['a.py', 'b.py', '--weights', 'w.pth'])
    assert 'give one target, the config of the model' in capsys.readouterr().err


def test_a_dataset_that_cannot_be_read_is_told_with_the_worst_of_it(
    tool: ModuleType, folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (Path(folders[1]) / 'train.txt').write_text('nowhere\n')
    with pytest.raises(SystemExit):
        tool.main(folders)
    told = capsys.readouterr().err
    assert 'facade (train): 1 sample without a file that it needs, first nowhere: no image in' in told
    assert 'take the samples off the list (mmlmseg doctor tells all)' in told
