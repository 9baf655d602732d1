"""Small relatives of open_clip's models, each with the text side of its kind, and tokenizers of few words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

from mmlmseg.models.open_clip_loader import load_open_clip, model_config

TEXT = 'a photo of cat sky car road tree water wall long wooden coffee table traffic light sign back'
WORDS = TEXT.split()

Shrunk = Callable[..., tuple[str, str]]


@pytest.fixture
def shrunk(tmp_path: Path) -> Shrunk:
    """A factory of models that are those of open_clip, but small: their names and their weight files."""

    def make(model: str, quick_gelu: bool | None = None, **text: Any) -> tuple[str, str]:
        config = model_config(model)
        config['embed_dim'] = 24
        config['vision_cfg'] = dict(image_size=32, layers=1, width=32, head_width=16, patch_size=16)
        if 'hf_model_name' not in config['text_cfg']:
            config['text_cfg'].update(width=32, heads=4, layers=2)
        config['text_cfg'].update(text)
        if quick_gelu is not None:
            config['quick_gelu'] = quick_gelu
        if 'multimodal_cfg' in config:
            config['multimodal_cfg'].update(width=32, heads=4, layers=1)
            config['vision_cfg'].update(attentional_pool=True, attn_pooler_heads=4, output_tokens=True)
        name = f'shrunk-{model}'
        (tmp_path / f'{name}.json').write_text(json.dumps(config))
        open_clip.add_model_config(tmp_path / f'{name}.json')
        clip = load_open_clip(name, None)
        with torch.no_grad():
            for parameter in clip.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        torch.save(clip.state_dict(), tmp_path / f'{name}.pt')
        return name, str(tmp_path / f'{name}.pt')

    return make


@pytest.fixture
def word_tokenizer(tmp_path: Path) -> Callable[..., str]:
    """A factory of tokenizers of Hugging Face that know a few words: the folder of one."""
    transformers = pytest.importorskip('transformers')
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    def make(name: str, special: list[str], start: str | None, end: str, pad: str, words: list[str] = WORDS) -> str:
        vocabulary = {token: i for i, token in enumerate([*special, *words])}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token='<unk>'))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        around = [token for token in (start, end) if token]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=' '.join([*around[:-1], '$A', end]), special_tokens=[(token, vocabulary[token]) for token in around]
        )
        folder = tmp_path / name
        transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, pad_token=pad, unk_token='<unk>', eos_token=end, sep_token=end
        ).save_pretrained(folder)
        return str(folder)

    return make
