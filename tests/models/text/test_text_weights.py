from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from mmlmseg.errors import CheckpointError
from mmlmseg.models.open_clip_loader import load_open_clip
from mmlmseg.models.text import OpenClipText, text_weights
from mmlmseg.models.text.open_tower import open_tower

Shrunk = Callable[..., tuple[str, str]]


@pytest.fixture
def no_image_tower(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on no image tower can be built."""

    def forbid() -> None:
        for module in (open_clip.model, open_clip.coca_model):
            monkeypatch.setattr(module, '_build_vision_tower', lambda *_, **__: pytest.fail('an image tower is built'))

    return forbid


@pytest.mark.parametrize('form', ['pt', 'state_dict', 'module', 'legacy', 'safetensors'])
@pytest.mark.parametrize('model', ['ViT-B-16', 'EVA02-B-16', 'coca_ViT-B-32'])
def test_of_a_file_only_the_text_is_read(
    model: str, form: str, shrunk: Shrunk, tmp_path: Path, no_image_tower: Callable[[], None]
) -> None:
    name, file = shrunk(model)
    expected = open_tower(name, file).encode_texts(['cat', 'dog'])
    state = torch.load(file, weights_only=True)
    state = {key: value for key, value in state.items() if not key.startswith('visual.')}  # nobody misses them
    path = tmp_path / f'weights.{form if form == "safetensors" else "pt"}'
    if form == 'safetensors':
        save_file(state, path)
    elif form == 'legacy':
        torch.save(state, path, _use_new_zipfile_serialization=False)
    else:
        state = {f'module.{key}': value for key, value in state.items()} if form == 'module' else state
        torch.save(state if form == 'pt' else dict(state_dict=state, epoch=3), path)
    no_image_tower()
    assert torch.equal(open_tower(name, str(path)).encode_texts(['cat', 'dog']), expected)


def test_a_file_of_another_model_is_named(shrunk: Shrunk, tmp_path: Path) -> None:
    name, _ = shrunk('ViT-B-16')
    _, file = shrunk('coca_ViT-B-32')
    with pytest.raises(CheckpointError, match=r"coca_ViT-B-32\.pt: not the weights of open_clip model 'shrunk-ViT-B"):
        open_tower(name, file)


def test_random_weights_are_those_of_the_whole_model(shrunk: Shrunk) -> None:
    name, _ = shrunk('EVA02-B-16')
    own, whole = open_tower(name, None).text.state_dict(), load_open_clip(name, None).state_dict()
    assert all(torch.equal(tensor, whole[f'text.{key}']) for key, tensor in own.items())


def test_a_format_of_others_is_converted_by_open_clip(
    shrunk: Shrunk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, file = shrunk('ViT-B-16')
    (tmp_path / 'theirs.npz').touch()
    monkeypatch.setattr(text_weights, 'load_open_clip', lambda model, path: load_open_clip(model, file))
    assert open_tower(name, str(tmp_path / 'theirs.npz')).digest == open_tower(name, file).digest


def test_a_folder_brings_its_weights(shrunk: Shrunk, tmp_path: Path) -> None:
    name, file = shrunk('ViT-B-16')
    folder = tmp_path / 'folder'
    folder.mkdir()
    config = open_clip.get_model_config(name)
    (folder / 'open_clip_config.json').write_text(json.dumps(dict(model_cfg=config)))
    with pytest.raises(CheckpointError, match='folder: holds no weights'):
        open_tower(f'local-dir:{folder}', None)
    save_file(torch.load(file, weights_only=True), folder / 'open_clip_model.safetensors')
    digest = open_tower(name, file).digest
    assert open_tower(f'local-dir:{folder}', None).digest == digest
    assert open_tower(f'local-dir:{folder}', file).digest == digest
    assert OpenClipText(f'local-dir:{folder}').source().encoder == 'open_clip:folder'
