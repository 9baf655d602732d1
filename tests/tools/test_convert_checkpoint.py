from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from mmengine.config import Config
from published import CLASSES, Published, our_config, our_outputs

from mmlmseg.apis.model import build_model
from mmlmseg.errors import CheckpointError


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).resolve().parents[2] / 'tools' / 'convert_checkpoint.py')


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """A folder with a published checkpoint, and configs of its classes in another order, and of others."""
    theirs = Published('mask2former').eval()
    meta = dict(dataset_meta=dict(classes=tuple(CLASSES), palette=None))
    torch.save(dict(state_dict=theirs.state_dict(), meta=meta), tmp_path / 'published.pth')
    for name, classes in (('same', CLASSES[::-1]), ('other', ['car', 'road'])):
        model = our_config('mask2former', [dict(name='a', classes=classes)])
        Config(dict(model=model, default_scope='mmseg')).dump(tmp_path / f'{name}.py')
    monkeypatch.chdir(tmp_path)
    return theirs


def run(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, 'argv', ['convert_checkpoint.py', *arguments])
    tool.main()


def test_the_same_classes_predict_at_once(
    tool: ModuleType, workplace: Published, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tool, monkeypatch, 'published.pth', 'new/model.pth', '--config', 'same.py')
    said = capsys.readouterr().out
    assert "OpenMMLab's Mask2Former: " in said
    assert "by name, 3 of the 3 of 'a' come along" in said
    assert 'starting anew' not in said
    assert 'load_from' not in said
    model = build_model(Config.fromfile('same.py'), 'new/model.pth').double()
    images = torch.rand(2, 3, 64, 64).double()
    with torch.no_grad():
        classes, masks = our_outputs(model, images)
        their_classes, their_masks = workplace.double().outputs(images)
    assert torch.allclose(classes, their_classes[..., [2, 1, 0, 3]], atol=1e-6)
    assert torch.allclose(masks, their_masks, atol=1e-6)


def test_other_classes_are_to_be_trained(
    tool: ModuleType, workplace: Published, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tool, monkeypatch, 'published.pth', 'model.pth', '--config', 'other.py')
    said = capsys.readouterr().out
    assert "1 of the 2 of 'a' come along" in said
    assert 'starting anew: decode_head.classifier.layers.* (2)' in said
    assert "train it before it predicts: load_from = 'model.pth'" in said
    with pytest.raises(CheckpointError, match='train first'):
        build_model(Config.fromfile('other.py'), 'model.pth').predict([], [])
    with pytest.raises(CheckpointError, match=r'model\.pth: exists already and is not overwritten'):
        tool.convert(Path('published.pth'), Path('model.pth'), Config.fromfile('other.py'))


def test_a_pickle_of_arrays_is_read(tool: ModuleType, workplace: Published) -> None:
    arrays = {name: value.numpy() for name, value in workplace.state_dict().items()}
    Path('zoo.pkl').write_bytes(pickle.dumps(dict(model=arrays, __author__='someone')))
    conversion = tool.convert(Path('zoo.pkl'), Path('model.pth'), Config.fromfile('same.py'))
    assert not conversion.new
    assert np.array_equal(
        torch.load('model.pth')['state_dict']['backbone.conv1.weight'], arrays['backbone.conv1.weight']
    )


@pytest.mark.parametrize('container', ['model', 'state_dict'])
def test_detectron2s_checkpoints_are_read(tool: ModuleType, workplace: Published, container: str) -> None:
    torch.save({container: workplace.state_dict(), 'iteration': 3}, 'final.pth')
    assert not tool.convert(Path('final.pth'), Path('model.pth'), Config.fromfile('same.py')).new
