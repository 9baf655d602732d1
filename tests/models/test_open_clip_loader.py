from __future__ import annotations

from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mmlmseg.errors import CheckpointError
from mmlmseg.models.open_clip_loader import check_weights, load_open_clip, model_config


def holder(state: dict[str, torch.Tensor]) -> nn.Module:
    """A scriptable module of the same state dict."""
    root = nn.Module()
    for name, tensor in state.items():
        module = root
        *path, leaf = name.split('.')
        for part in path:
            if not hasattr(module, part):
                module.add_module(part, nn.Module())
            module = getattr(module, part)
        module.register_buffer(leaf, tensor)
    root.register_buffer('input_resolution', torch.tensor(64))
    return root


def test_random_weights_are_the_same_in_every_process_and_leave_the_global_generator_alone(tiny_clip: str) -> None:
    before = torch.get_rng_state()
    first = load_open_clip(tiny_clip, None).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(5)
    second = load_open_clip(tiny_clip, None).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize('form', ['pt', 'safetensors', 'torchscript'])
def test_loads_local_files(tiny_clip: str, tmp_path: Path, form: str) -> None:
    model = load_open_clip(tiny_clip, None)
    with torch.no_grad():
        model.text_projection.add_(1.0)
    path = tmp_path / f'weights.{form}'
    if form == 'pt':
        torch.save(model.state_dict(), path)
    elif form == 'safetensors':
        save_file(model.state_dict(), str(path))
    else:
        torch.jit.script(holder({k: v.half() for k, v in model.state_dict().items()})).save(str(path))
    loaded = load_open_clip(tiny_clip, str(path))
    torch.testing.assert_close(loaded.text_projection, model.text_projection, atol=1e-3, rtol=0)
    assert loaded.text_projection.dtype == torch.float32
    assert not loaded.training


def test_openai_weights_need_quickgelu(tiny_clip: str, tmp_path: Path) -> None:
    path = tmp_path / 'openai.pt'
    torch.jit.script(holder(load_open_clip(tiny_clip, None).state_dict())).save(str(path))
    with pytest.raises(CheckpointError, match=r'openai\.pt.*QuickGELU.*tiny-quickgelu'):
        load_open_clip('tiny', str(path))


@pytest.mark.parametrize(
    ('model', 'tag', 'message'),
    [
        ('RN50', 'openai', 'use the model RN50-quickgelu'),
        ('RN50-quickgelu', 'opnai', 'Did you mean: openai'),
        ('RN50-quickgelu', 'absent/rn50.pt', r'absent/rn50\.pt: no such weight file'),
        ('RN5-quickgelu', None, 'Did you mean: RN50'),
    ],
)
def test_wrong_names_say_what_would_be_right(model: str, tag: str | None, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_open_clip(model, tag)


@pytest.mark.parametrize('content', [b'no weights', None])
def test_unfit_files_are_named(tiny_clip: str, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / 'bad.pt'
    if content is None:
        torch.save({'other': torch.zeros(1)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r'bad\.pt: not the weights of open_clip model'):
        load_open_clip(tiny_clip, str(path))


def test_every_model_takes_some_published_weights_or_names_the_model_that_does() -> None:
    """Of roberta-ViT-B-32 the tag does not say that it has QuickGELU, and there is no other model to use."""
    for model in open_clip.list_models():
        for tag in open_clip.list_pretrained_tags_by_model(model):
            try:
                check_weights(model, tag)
            except CheckpointError as error:
                check_weights(str(error).rpartition(' ')[2], tag)


def test_config_is_read_without_building(tiny_clip: str) -> None:
    assert model_config(tiny_clip)['embed_dim'] == 12
