from __future__ import annotations

from pathlib import Path

import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmlmseg.errors import CheckpointError
from mmlmseg.models.text.dinotxt import open_dinotxt

WIDTH, LAYERS, CONTEXT, OUT = 128, 2, 16, 24
TEXTS = ['a photo of a cat', 'tree', 'traffic light']


def weights() -> dict[str, Tensor]:
    """A small text encoder in the names of the published file."""
    shapes = {
        'backbone.token_embedding.weight': (49408, WIDTH),
        'backbone.positional_embedding': (CONTEXT, WIDTH),
        'backbone.ln_final.weight': (WIDTH,),
        'backbone.ln_final.bias': (WIDTH,),
        'head.linear_projection.weight': (OUT, WIDTH),
    }
    for i in range(LAYERS):
        for part, out, inner in (('attention.proj', 1, 1), ('feed_forward.fc1', 4, 1), ('feed_forward.fc2', 1, 4)):
            shapes[f'backbone.blocks.{i}.{part}.weight'] = (out * WIDTH, inner * WIDTH)
            shapes[f'backbone.blocks.{i}.{part}.bias'] = (out * WIDTH,)
        shapes[f'backbone.blocks.{i}.attention.qkv.weight'] = (3 * WIDTH, WIDTH)
        for norm in ('attention_norm', 'ffn_norm'):
            shapes[f'backbone.blocks.{i}.{norm}.weight'] = shapes[f'backbone.blocks.{i}.{norm}.bias'] = (WIDTH,)
    return {name: 0.1 * torch.randn(shape) for name, shape in shapes.items()}


def reference(w: dict[str, Tensor]) -> Tensor:
    """The published forward pass, written out."""
    ids = open_clip.SimpleTokenizer(context_length=CONTEXT)(TEXTS)
    x = w['backbone.token_embedding.weight'][ids] + w['backbone.positional_embedding']

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (WIDTH,), w[f'backbone.{name}.weight'], w[f'backbone.{name}.bias'])

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, w[f'backbone.{name}.weight'], w.get(f'backbone.{name}.bias'))

    for i in range(LAYERS):
        qkv = linear(norm(x, f'blocks.{i}.attention_norm'), f'blocks.{i}.attention.qkv')
        q, k, v = qkv.unflatten(-1, (3, WIDTH // 64, 64)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + linear(seen, f'blocks.{i}.attention.proj')
        inner = F.gelu(linear(norm(x, f'blocks.{i}.ffn_norm'), f'blocks.{i}.feed_forward.fc1'))
        x = x + linear(inner, f'blocks.{i}.feed_forward.fc2')
    x = norm(x, 'ln_final') @ w['head.linear_projection.weight'].T
    return x[torch.arange(len(ids)), ids.argmax(1)]


@pytest.mark.parametrize('prefix', ['', 'text_model.'])
def test_equals_the_published_forward_pass(prefix: str, tmp_path: Path) -> None:
    """DINOv2's file holds the text encoder alone, DINOv3's also an image head."""
    own = weights()
    state = {prefix + name: tensor for name, tensor in own.items()}
    if prefix:
        state |= {'visual_model.head.ln_final.weight': torch.ones(4), 'logit_scale': torch.ones(1)}
    torch.save(state, tmp_path / 'text.pth')
    tower = open_dinotxt(tmp_path / 'text.pth')
    torch.testing.assert_close(tower.encode_texts(TEXTS), reference(own), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('backbone.blocks.0.attention.qkv.bias', torch.zeros(3 * WIDTH + 1), 'size mismatch'),
        ('backbone.blocks.0.ls1.gamma', torch.ones(WIDTH), r'backbone\.blocks\.0\.ls1\.gamma is unknown'),
        ('backbone.ln_final.bias', None, 'Missing key'),
        ('backbone.token_embedding.weight', torch.ones(500, WIDTH), 'has 500 tokens'),
    ],
)
def test_other_files_are_refused(name: str, value: Tensor | None, message: str, tmp_path: Path) -> None:
    state = {key: tensor for key, tensor in {**weights(), name: value}.items() if tensor is not None}
    torch.save(state, tmp_path / 'text.pth')
    with pytest.raises(CheckpointError, match=rf'text\.pth: .*({message})'):
        open_dinotxt(tmp_path / 'text.pth')
