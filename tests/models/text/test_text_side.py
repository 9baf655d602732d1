"""What open_clip's models are, by their configurations; no weight is built or read here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.transformer import ResidualAttentionBlock

from mmlmseg.errors import CheckpointError, TextBankError
from mmlmseg.models.text import OpenClipText, text_side
from mmlmseg.models.text.open_tower import open_tower
from mmlmseg.models.text.text_side import TextSide, TowerKind
from mmlmseg.models.text.text_weights import build_text

# The first pattern that fits the name of a model: how its text is read, and whether Hugging Face's library is needed.
KINDS: list[tuple[str, TowerKind, bool]] = [
    ('^(roberta|xlm-roberta|mt5|nllb|coca_roberta)-', 'hugging face', True),
    ('^coca_', 'padded', False),
    ('^MobileCLIP2?-B', 'packed', False),
    ('^MobileCLIP', 'padded', False),
    ('SigLIP|CLIPA', 'padded', True),
    ('worldwide', 'packed', True),
    ('^(RN|ViT-|convnext|EVA|PE-Core|ViTamin|vit_|swin|timm)', 'packed', False),
]


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is built or read passes."""
    for name in ('open_clip.create_model', 'mmlmseg.models.text.open_tower.load_text', 'open_clip.load_checkpoint'):
        monkeypatch.setattr(name, lambda *_, **__: pytest.fail('weights are built or read'))


@pytest.mark.parametrize('model', open_clip.list_models())
def test_every_model_of_open_clip_is_read(model: str, no_weights: None) -> None:
    side = text_side.text_side(model)
    kind, needs_transformers = next(row[1:] for row in KINDS if re.search(row[0], model))
    assert (side.kind, side.needs_transformers) == (kind, needs_transformers)
    assert side.width == open_clip.get_model_config(model)['embed_dim']
    if kind != 'hugging face':
        encoder = OpenClipText(model)
        assert encoder.prompt.shape == (8, side.config.width)
        assert encoder.width == side.width
        with torch.device('meta'):
            text = build_text(side)
        plain = all(type(block) is ResidualAttentionBlock for block in text.transformer.resblocks)
        causal = text.attn_mask is not None and text.cls_emb is None
        assert (kind == 'packed') == (plain and causal and text.pool_type in ('argmax', 'eos'))


@pytest.mark.parametrize(
    ('model', 'name'),
    [('ViT-B-16-SigLIP', 'timm/ViT-B-16-SigLIP'), ('roberta-ViT-B-32', 'roberta-base'), ('ViT-L-14-CLIPA', 'bert')],
)
def test_a_missing_package_is_named_before_anything_is_fetched(
    model: str, name: str, no_weights: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_side, 'find_spec', lambda _: None)
    monkeypatch.setattr(open_clip, 'get_tokenizer', lambda *_: pytest.fail('a tokenizer is fetched'))
    with pytest.raises(TextBankError, match=rf"'{model}' reads text with '{name}.*mmlmseg\[hf\]"):
        open_tower(model, None)


def custom(folder: Path, name: str, **text: object) -> TextSide:
    config = dict(embed_dim=12, vision_cfg=dict(image_size=32, layers=1, width=16, patch_size=16), text_cfg=text)
    (folder / f'{name}.json').write_text(json.dumps(config))
    open_clip.add_model_config(folder / f'{name}.json')
    return text_side.text_side(name)


def test_blocks_of_another_kind_are_told_as_open_clip_does(tmp_path: Path) -> None:
    assert custom(tmp_path, 'side-a', scale_fc=True).kind == 'padded'
    assert custom(tmp_path, 'side-b', block_type='custom').kind == 'padded'
    assert custom(tmp_path, 'side-c', scale_fc=True, block_type='default').kind == 'packed'
    assert custom(tmp_path, 'side-d', proj_type='none', width=32).width == 32


def test_a_folder_is_called_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / 'my-clip'
    folder.mkdir()
    config = dict(embed_dim=12, vision_cfg=dict(image_size=32, layers=1, width=16), text_cfg=dict(width=16))
    (folder / 'open_clip_config.json').write_text(json.dumps(dict(model_cfg=config)))
    side = text_side.text_side(f'local-dir:{folder}')
    assert (side.title, side.width, side.config.width) == ('my-clip', 12, 16)
    assert text_side.text_side('ViT-B-16').title == 'ViT-B-16'
    with pytest.raises(CheckpointError, match='absent.* needs an open_clip_config'):
        text_side.text_side(f'local-dir:{tmp_path}/absent')
