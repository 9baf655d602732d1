"""Every test dataset in every label space, from the command line to the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmlmseg.apis import LMSegInferencer
from mmlmseg.evaluation import MultiDatasetEvaluator
from mmlmseg.lab.scenes import write_folder_dataset

NAMES = ('street', 'facade', 'wardrobe')


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).resolve().parents[2] / 'tools' / 'cross_space.py')


@pytest.fixture
def files(model_config: Callable[..., dict], tested: Any, tmp_path: Path) -> list[str]:
    """Config and checkpoint of a random model of two label spaces, tested on a third one too."""
    for name in NAMES:
        write_folder_dataset(tmp_path / name, name, range(1), range(1, 4), size=(64, 96))
    folders = [str(tmp_path / name) for name in NAMES]
    return tested(model_config(folders[:2]), folders)[1]


def test_every_dataset_is_asked_in_every_label_space(tool: ModuleType, files: list[str], tmp_path: Path) -> None:
    out = tmp_path / 'new' / 'out'
    assert tool.main([*files, '--out', str(out), '--device', 'cpu']) == 0
    assert sorted(path.name for path in out.iterdir()) == ['cross_space.json', 'cross_space.md', 'cross_space.png']
    said = json.loads((out / 'cross_space.json').read_text())
    assert said['trained'] == ['street', 'facade']
    found = {(one['dataset'], one['label_space']): one for one in said['results']}
    assert set(found) == {(a, b) for a in NAMES for b in NAMES}
    assert all(one['images'] == 3 for one in found.values())
    config = Config.fromfile(files[0])  # the usual evaluation, of what the model knows
    config.test_dataloader.dataset.datasets = config.test_dataloader.dataset.datasets[:2]
    model: Any = LMSegInferencer(*files, device='cpu').model
    loader = Runner.build_dataloader(config.test_dataloader)
    evaluator = MultiDatasetEvaluator(metrics=dict(type='mmlmseg.SemanticIoU'))
    evaluator.dataset_meta = loader.dataset.metainfo  # type: ignore[attr-defined]
    for batch in loader:
        with torch.no_grad():
            evaluator.process(model.test_step(batch), batch)
    usual = evaluator.evaluate(6)
    for name in NAMES[:2]:
        one = found[name, name]
        assert one['mIoU'] == pytest.approx(usual[f'{name}/mIoU'])
        assert (one['classes_scored'], one['share_of_pixels_scored']) == (one['classes_of_truth'], 1)


def test_declared_relations_say_what_corresponds(
    tool: ModuleType, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / 'relations.yml', tmp_path / 'out'
    file.write_text('same:\n- [street:sky, facade:sky]\n')
    assert tool.main([*files, '--relations', str(file), '--images', '1', '--out', str(out), '--device', 'cpu']) == 0
    found = {
        (one['dataset'], one['label_space']): one
        for one in json.loads((out / 'cross_space.json').read_text())['results']
    }
    assert found['street', 'facade']['classes_scored'] == 1
    assert found['street', 'facade']['images'] == 1
    assert found['wardrobe', 'street']['mIoU'] is None
    for options, message in (
        (['--images', '0'], '--images 0: at least one'),
        (['--relations', str(tmp_path / 'absent.yml')], 'absent.yml: no such file'),
    ):
        with pytest.raises(SystemExit, match='2'):
            tool.main([*files, *options, '--out', str(out)])
        assert message in capsys.readouterr().err


def test_labels_that_mean_something_else_to_the_model_are_refused(
    tool: ModuleType, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model knows its classes from its checkpoint, and the file of the dataset was sorted since."""
    config = Config.fromfile(files[0])
    config.model.decode_head.pop('label_spaces')
    config.dump(files[0])
    listed = tmp_path / 'street' / 'classes.json'
    content = json.loads(listed.read_text())
    listed.write_text(json.dumps({**content, 'classes': content['classes'][::-1]}))
    with pytest.raises(SystemExit, match='2'):
        tool.main([*files, '--out', str(tmp_path / 'out'), '--device', 'cpu'])
    assert "dataset 'street': by label space 'street' it means other classes than the model" in capsys.readouterr().err
