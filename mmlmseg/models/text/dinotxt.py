"""The text tower of dino.txt (DINOv2 and DINOv3), which is a causal transformer as CLIP has it, under other names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from ...errors import CheckpointError
from .packed_tower import PackedTower
from .text_weights import UNREADABLE, read_weights, unfit
from .tokens import Tokeniser

HEAD_WIDTH = 64
"""Of the one text tower that is published: 24 layers of width 1280, 20 heads."""

_MODEL = 'the text tower of dino.txt'
_PARTS = {  # as dino.txt calls them, as open_clip does
    'token_embedding.weight': 'token_embedding.weight',
    'positional_embedding': 'positional_embedding',
    'ln_final.weight': 'ln_final.weight',
    'ln_final.bias': 'ln_final.bias',
}
_BLOCK_PARTS = {
    'attention_norm': 'ln_1',
    'attention.qkv': 'attn.in_proj',
    'attention.proj': 'attn.out_proj',
    'ffn_norm': 'ln_2',
    'feed_forward.fc1': 'mlp.c_fc',
    'feed_forward.fc2': 'mlp.c_proj',
}
_PROJECTION = 'head.linear_projection.weight'


def open_dinotxt(file: str | Path) -> PackedTower:
    """Opens the text tower of dino.txt: CLIP's tokens, read at the end token, a projection without bias.

    Args:
        file: ``dinov2_vitl14_reg4_dinotxt_tet1280d20h24l_text_encoder.pth`` or
            ``dinov3_vitl16_dinotxt_vision_head_and_text_encoder-*.pth``, of which only the text is read.

    Raises:
        CheckpointError: Where the file is missing or holds something else.
    """
    import open_clip
    from open_clip.transformer import TextTransformer

    file = Path(file)
    if not file.is_file():
        raise CheckpointError(f'{file}: no such file; dinotxt takes a local file with the text encoder of dino.txt')
    try:
        weights = {name: tensor.float() for name, tensor in read_weights(file, dinotxt_names).items()}
        tokens, width = weights['token_embedding.weight'].shape
        context = len(weights['positional_embedding'])
        weights['text_projection'] = weights['text_projection'].T.contiguous()
        layers = len({name.split('.')[2] for name in weights if name.startswith('transformer.')})
        for i in range(layers):  # published without a bias of queries, keys and values, which open_clip always has
            weights.setdefault(f'transformer.resblocks.{i}.attn.in_proj_bias', torch.zeros(3 * width))
        text = TextTransformer(
            context, tokens, width, width // HEAD_WIDTH, layers, output_dim=weights['text_projection'].shape[1]
        )
        text.load_state_dict(weights)
    except UNREADABLE as error:
        raise unfit(file, _MODEL, error) from None
    tokenizer = open_clip.SimpleTokenizer(context_length=context)
    if tokens != tokenizer.vocab_size:
        raise CheckpointError(
            f"{file}: its text tower has {tokens} tokens, CLIP's tokenizer {tokenizer.vocab_size}; only the published "
            'towers are read'
        )
    return PackedTower(text, Tokeniser.of_clip(tokenizer, context))


def dinotxt_names(names: Iterable[str]) -> dict[str, str]:
    """What the weights of the text are called in open_clip, and in a file of dino.txt.

    Raises:
        ValueError: Where there are none, or one that the published tower does not have.

    Example:
        >>> dinotxt_names(['text_model.backbone.blocks.0.attention.qkv.weight', 'visual_model.head.ln_final.bias'])
        {'transformer.resblocks.0.attn.in_proj_weight': 'text_model.backbone.blocks.0.attention.qkv.weight'}
    """
    full = list(names)
    prefix = 'text_model.' if any(name.startswith('text_model.') for name in full) else ''
    found = {}
    for name in full:
        own = name.removeprefix(prefix)
        if name.startswith(prefix) and own.startswith(('backbone.', 'head.')):
            found[_own_name(own)] = name
    if not found:
        raise ValueError('it holds no weights of a text encoder')
    return found


def _own_name(name: str) -> str:
    if name == _PROJECTION:
        return 'text_projection'
    inner = name.removeprefix('backbone.')
    if inner in _PARTS:
        return _PARTS[inner]
    match inner.split('.'):
        case ['blocks', number, *part, kind] if '.'.join(part) in _BLOCK_PARTS:
            joint = '_' if part == ['attention', 'qkv'] else '.'
            return f'transformer.resblocks.{number}.{_BLOCK_PARTS[".".join(part)]}{joint}{kind}'
    raise ValueError(f'{name} is unknown')
