"""Every kind of text side that open_clip has, against its own ``encode_text``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

from mmlmseg.errors import TextBankError
from mmlmseg.models.open_clip_loader import load_open_clip
from mmlmseg.models.text import OpenClipText, padded_tower
from mmlmseg.models.text.hugging_face_tower import HuggingFaceTower
from mmlmseg.models.text.open_tower import open_tower, prompt_width
from mmlmseg.models.text.packed_tower import PackedTower
from mmlmseg.models.text.padded_tower import PaddedTower
from mmlmseg.models.text.text_side import text_side
from mmlmseg.models.text.tokens import Tokeniser
from mmlmseg.models.text.tower import TextTower

TEXTS = ['a photo of a cat', 'tree', 'a long wooden coffee table', 'traffic sign (back)', 'road, wall and sky!', 'car']

OWN: dict[str, tuple[str, dict[str, Any], type[TextTower]]] = {
    'clip': ('ViT-B-32', dict(), PackedTower),
    'clip of OpenAI': ('RN50-quickgelu', dict(), PackedTower),
    'text kept apart': ('EVA02-B-16', dict(), PackedTower),
    'short context': ('PE-Core-T-16-384', dict(), PackedTower),
    'causal MobileCLIP': ('MobileCLIP-B', dict(), PackedTower),
    'ViTamin': ('ViTamin-S', dict(), PackedTower),
    'LayerScale, no projection': ('ViT-B-16', dict(ls_init_value=0.5, proj_type='none'), PackedTower),
    'projection with bias, its own norm': ('ViT-L-14', dict(proj_bias=True, norm_kwargs=dict(eps=1e-6)), PackedTower),
    'no mask': ('MobileCLIP-S1', dict(), PaddedTower),
    'class token': ('coca_ViT-B-32', dict(), PaddedTower),
    'class token, no mask': ('coca_base', dict(no_causal_mask=True), PaddedTower),
    'last place': ('ViT-B-16', dict(pool_type='last'), PaddedTower),
    'first place': ('ViT-B-16', dict(pool_type='first', no_causal_mask=True), PaddedTower),
    'normed queries and keys': ('ViT-B-16', dict(qk_norm=True), PaddedTower),
    'NormFormer': ('ViT-B-16', dict(scale_heads=True, scale_fc=True, scale_attn_inner=True), PaddedTower),
}


def matches_open_clip(model: str, weights: str, kind: type[TextTower]) -> TextTower:
    """Compares a tower with open_clip's whole model, then looks at its prompt."""
    tower, clip = open_tower(model, weights), load_open_clip(model, weights)
    assert type(tower) is kind
    with torch.no_grad():
        expected = clip.encode_text(open_clip.get_tokenizer(model)(TEXTS), normalize=False)
    rows = tower.encode_texts(TEXTS)
    torch.testing.assert_close(rows, expected, rtol=1e-5, atol=1e-5)
    assert rows.shape == (len(TEXTS), text_side(model).width)
    words = tower.embedding(torch.tensor(tower.tokenise('a photo of a')))
    torch.testing.assert_close(
        tower.encode([tower.tokenise(name) for name in ('cat', 'traffic light')], words),
        tower.encode_texts(['a photo of a cat', 'a photo of a traffic light']),
        rtol=1e-5,
        atol=1e-5,
    )
    prompt = torch.randn(3, prompt_width(text_side(model)), requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16):
        rows = tower.encode([tower.tokenise(text) for text in TEXTS], prompt)
    assert rows.dtype == torch.float32
    assert rows.isfinite().all()
    (rows * torch.randn_like(rows)).sum().backward()
    assert prompt.grad is not None
    assert (prompt.grad.abs().sum(1) > 0).all()
    assert not any(parameter.requires_grad for parameter in tower.text.parameters())
    return tower


@pytest.mark.parametrize('kind', OWN)
def test_equals_open_clip(kind: str, shrunk: Callable[..., tuple[str, str]]) -> None:
    model, text, tower = OWN[kind]
    matches_open_clip(*shrunk(model, **text), tower)


@pytest.mark.parametrize('model', ['coca_ViT-B-32', 'MobileCLIP-S1'])
def test_a_text_that_fills_the_context_equals_open_clip(model: str, shrunk: Callable[..., tuple[str, str]]) -> None:
    name, weights = shrunk(model, context_length=8)
    texts = ['cat cat cat cat cat cat', 'cat cat cat cat cat', 'cat', 'cat ! cat']
    expected = load_open_clip(name, weights).encode_text(open_clip.get_tokenizer(name)(texts), normalize=False)
    torch.testing.assert_close(open_tower(name, weights).encode_texts(texts), expected, rtol=1e-5, atol=1e-5)


def test_only_where_padding_does_not_matter_texts_are_shorter_than_the_context(
    shrunk: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    batch = PaddedTower._batch

    def watched(self: PaddedTower, tokens: list[list[int]], prompt: torch.Tensor, length: int) -> torch.Tensor:
        seen.append((len(tokens), length))
        return batch(self, tokens, prompt, length)

    monkeypatch.setattr(PaddedTower, '_batch', watched)
    texts = ['cat', 'dog', 'a long wooden coffee table in a kitchen']
    open_tower(*shrunk('coca_ViT-B-32')).encode_texts(texts)
    assert seen == [(2, 4), (1, 12)]
    seen.clear()
    tower = open_tower(*shrunk('MobileCLIP-S1'))
    rows = tower.encode_texts(texts)
    assert seen == [(3, 77)]
    monkeypatch.setattr(padded_tower, 'BATCH_TOKENS', 100)
    torch.testing.assert_close(tower.encode_texts(texts), rows, rtol=1e-5, atol=1e-5)
    assert seen[1:] == [(1, 77)] * 3


def test_batches_whose_gradients_are_computed_again_have_the_same(
    shrunk: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tower = open_tower(*shrunk('MobileCLIP-S1'))
    tokens, weights = [tower.tokenise(text) for text in TEXTS], torch.randn(len(TEXTS), 24)
    gradients = []
    for size in (8192, 100):
        monkeypatch.setattr(padded_tower, 'BATCH_TOKENS', size)
        prompt = torch.ones(3, 32, requires_grad=True)
        gradients += torch.autograd.grad((tower.encode(tokens, prompt) * weights).sum(), prompt)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ('model', 'start', 'end', 'pad'),
    [
        ('ViT-B-16-SigLIP', [], [1], 1),
        ('ViT-SO400M-16-SigLIP-i18n-256', [], [1], 1),
        ('ViT-L-14-CLIPA', [101], [0], 0),
        ('ViT-H-14-worldwide', [0], [2], 1),
        ('ViT-L-14-worldwide', [], [1], 0),
    ],
)
def test_tokens_of_any_tokenizer_are_read_as_open_clip_does(
    model: str,
    start: list[int],
    end: list[int],
    pad: int,
    shrunk: Callable[..., tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where Hugging Face's library is not there."""
    name, weights = shrunk(model)
    side = text_side(name)
    read = Tokeniser(side.config.context_length, start, end, pad, lambda text: [ord(c) + 200 for c in text], str)
    monkeypatch.setattr('mmlmseg.models.text.open_tower.open_tokeniser', lambda _: read)
    texts = ['car', 'traffic light', 'a sign']
    with torch.no_grad():
        expected = load_open_clip(name, weights).encode_text(
            padded_tower.padded([read.words(text) for text in texts], read, read.context)
        )
    torch.testing.assert_close(open_tower(name, weights).encode_texts(texts), expected, rtol=1e-5, atol=1e-5)


SPECIAL = ['<s>', '<pad>', '</s>', '<unk>']


def of_tokenizer(word_tokenizer: Callable[..., str], kind: str) -> tuple[str, dict[str, Any]]:
    """A model whose tokenizer is of Hugging Face, and what its configuration says of it."""
    if kind == 'SigLIP':  # no start; what ends a text also fills it up
        return 'ViT-B-16-SigLIP', dict(
            hf_tokenizer_name=word_tokenizer('siglip', ['<zero>', '</s>', '<unk>'], None, '</s>', '</s>')
        )
    if kind == 'SigLIP2':
        return 'ViT-B-32-SigLIP2-256', dict(
            hf_tokenizer_name=word_tokenizer('siglip2', ['<pad>', '</s>', '<unk>'], None, '</s>', '<pad>')
        )
    if kind == 'SigLIP without projection':
        return 'ViT-SO400M-16-SigLIP-i18n-256', dict(
            hf_tokenizer_name=word_tokenizer('i18n', ['<zero>', '</s>', '<unk>'], None, '</s>', '</s>')
        )
    if kind == 'CLIPA':  # its separator is replaced by zero
        return 'ViT-L-14-CLIPA', dict(
            hf_tokenizer_name=word_tokenizer('clipa', ['[PAD]', '<unk>', '[CLS]', '[SEP]'], '[CLS]', '[SEP]', '[PAD]')
        )
    if kind == 'worldwide':
        return 'ViT-H-14-worldwide', dict(hf_tokenizer_name=word_tokenizer('xlm', SPECIAL, '<s>', '</s>', '<pad>'))
    return 'ViT-L-14-worldwide', dict(
        hf_tokenizer_name=word_tokenizer('mt5', ['<pad>', '</s>', '<unk>'], None, '</s>', '<pad>')
    )


@pytest.mark.parametrize(
    ('kind', 'tower'),
    [
        ('SigLIP', PaddedTower),
        ('SigLIP2', PaddedTower),
        ('SigLIP without projection', PaddedTower),
        ('CLIPA', PaddedTower),
        ('worldwide', PackedTower),
        ('worldwide without start', PackedTower),
    ],
)
def test_a_tokenizer_of_hugging_face_equals_open_clip(
    kind: str, tower: type[TextTower], word_tokenizer: Callable[..., str], shrunk: Callable[..., tuple[str, str]]
) -> None:
    model, text = of_tokenizer(word_tokenizer, kind)
    matches_open_clip(*shrunk(model, **text), tower)


HUGGING_FACE: dict[str, tuple[str, str, dict[str, Any], str | None]] = {
    # open_clip's model, class of the configuration, its keys, start of a text
    'roberta': ('roberta-ViT-B-32', 'RobertaConfig', dict(), '<s>'),
    'roberta of CoCa': ('coca_roberta-ViT-B-32', 'RobertaConfig', dict(), '<s>'),
    'xlm-roberta': ('xlm-roberta-base-ViT-B-32', 'XLMRobertaConfig', dict(), '<s>'),
    'mt5': ('mt5-base-ViT-B-32', 'MT5Config', dict(d_model=32, d_kv=8, d_ff=32, num_layers=2, num_heads=4), None),
    'nllb': (
        'nllb-clip-base-siglip',
        'M2M100Config',
        dict(d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=4)
        | dict(encoder_ffn_dim=32, decoder_ffn_dim=32),
        '<s>',
    ),
    'bert': ('roberta-ViT-B-32', 'BertConfig', dict(), '<s>'),
}


@pytest.mark.parametrize('kind', HUGGING_FACE)
def test_a_text_model_of_hugging_face_equals_open_clip(
    kind: str, word_tokenizer: Callable[..., str], shrunk: Callable[..., tuple[str, str]]
) -> None:
    transformers = pytest.importorskip('transformers')
    model, config, keys, start = HUGGING_FACE[kind]
    folder = word_tokenizer('text', SPECIAL, start, '</s>', '<pad>')
    own = keys or dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32)
    getattr(transformers, config)(
        vocab_size=len(SPECIAL) + 18, pad_token_id=1, max_position_embeddings=100, **own
    ).save_pretrained(folder)
    more = dict(hf_pooler_type='cls_pooler') if kind == 'bert' else {}
    name, weights = shrunk(model, hf_model_name=folder, hf_tokenizer_name=folder, **more)
    tower = matches_open_clip(name, weights, HuggingFaceTower)
    assert not tower.text.training


def test_a_copy_without_the_files_of_its_tokenizer_is_refused_before_weights_are_read(
    word_tokenizer: Callable[..., str], shrunk: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers 5 makes a tokenizer of special tokens only from such a folder; 4 says that files are missing."""
    transformers = pytest.importorskip('transformers')
    folder = Path(word_tokenizer('text', SPECIAL, '<s>', '</s>', '<pad>'))
    own = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=32)
    transformers.RobertaConfig(vocab_size=len(SPECIAL) + 18, pad_token_id=1, **own).save_pretrained(folder)
    name, weights = shrunk('roberta-ViT-B-32', hf_model_name=str(folder), hf_tokenizer_name=str(folder))
    open_tower(name, weights)
    for file in folder.glob('token*'):
        file.unlink()
    monkeypatch.setattr('mmlmseg.models.text.open_tower.load_text', lambda *_: pytest.fail('weights are read'))
    with pytest.raises(TextBankError, match=rf"{folder}'.*(knows no words\. Bring|cannot be opened .* Bring)"):
        open_tower(name, weights)


def test_a_model_type_that_open_clip_does_not_read_is_named(word_tokenizer: Callable[..., str], tmp_path: Path) -> None:
    transformers = pytest.importorskip('transformers')
    folder = word_tokenizer('text', SPECIAL, '<s>', '</s>', '<pad>')
    transformers.DistilBertConfig(dim=32, n_layers=1, n_heads=2, hidden_dim=32).save_pretrained(folder)
    text = dict(hf_model_name=folder, hf_tokenizer_name=folder)
    config = dict(embed_dim=8, vision_cfg=dict(image_size=32, layers=1, width=16, patch_size=16), text_cfg=text)
    (tmp_path / 'shrunk-distil.json').write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / 'shrunk-distil.json')
    with pytest.raises(TextBankError, match="of the type 'distilbert', .* it reads roberta, xlm-roberta"):
        open_tower('shrunk-distil', None)
    with pytest.raises(TextBankError, match="of the type 'distilbert'"):
        OpenClipText('shrunk-distil')
    assert OpenClipText('shrunk-distil', prompt_length=0).prompt.shape == (0, 0)
