from __future__ import annotations

import copy

import open_clip
import pytest
import torch
import torch.nn.functional as F

from mmlmseg.errors import TextBankError
from mmlmseg.models.open_clip_loader import load_open_clip
from mmlmseg.models.text.blocks import FrozenBlock
from mmlmseg.models.text.open_tower import open_tower
from mmlmseg.models.text.packed_tower import PackedTower
from mmlmseg.models.text.packs import Packs

TEXTS = ['a photo of a cat', 'tree', 'a long wooden coffee table', 'traffic sign (back)']


@pytest.fixture(scope='module')
def tower(tiny_clip: str) -> PackedTower:
    opened = open_tower(tiny_clip, None)
    assert isinstance(opened, PackedTower)
    return opened


def reference(model: str) -> torch.Tensor:
    """open_clip's own embeddings of the texts."""
    with torch.no_grad():
        return load_open_clip(model, None).encode_text(open_clip.get_tokenizer(model, context_length=20)(TEXTS))


def test_equals_open_clip(tower: PackedTower, tiny_clip: str) -> None:
    torch.testing.assert_close(tower.encode_texts(TEXTS), reference(tiny_clip))


def test_a_text_transformer_kept_apart_is_read_alike(tiny_clip: str) -> None:
    apart = tiny_clip.replace('quickgelu', 'apart')
    assert isinstance(load_open_clip(apart, None), open_clip.CustomTextCLIP)
    torch.testing.assert_close(open_tower(apart, None).encode_texts(TEXTS), reference(apart))


def test_prompt_vectors_set_to_words_equal_these_words(tower: PackedTower, tiny_clip: str) -> None:
    words = tower.tokenise('a photo of a')
    prompt = tower.text.token_embedding(torch.tensor(words))
    prefix = 'a photo of a '
    names = ['cat', 'dog', 'traffic light']
    torch.testing.assert_close(
        tower.encode([tower.tokenise(name) for name in names], prompt),
        tower.encode_texts([prefix + name for name in names]),
    )


def test_only_the_prompt_gets_gradient(tower: PackedTower) -> None:
    prompt = torch.randn(8, 16, requires_grad=True)
    tower.encode([[5, 6], [7]], prompt).sum().backward()
    assert prompt.grad is not None
    assert prompt.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in tower.text.parameters())


def test_a_text_does_not_depend_on_its_batch(tower: PackedTower) -> None:
    torch.testing.assert_close(tower.encode_texts(TEXTS)[1:2], tower.encode_texts(TEXTS[1:2]))


def test_packs_and_chunks_change_nothing(tower: PackedTower, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tower.encode_texts(TEXTS)
    for name, size in (('packs.PACK_TOKENS', 5), ('packs.PACK_TOKENS', 1000), ('packed_tower.CHUNK', 3)):
        monkeypatch.setattr(f'mmlmseg.models.text.{name}', size)
        torch.testing.assert_close(tower.encode_texts(TEXTS), expected)


def test_under_autocast_layers_run_in_its_type_and_rows_are_float32(tower: PackedTower) -> None:
    expected = tower.encode_texts(TEXTS)
    with torch.autocast('cpu', torch.bfloat16):
        rows = tower.encode_texts(TEXTS)
        assert {block.up.weight.dtype for block in tower.blocks(torch.bfloat16)} == {torch.bfloat16}
    assert rows.dtype == torch.float32
    assert not torch.equal(rows, expected)
    assert F.cosine_similarity(rows, expected).min() > 0.999
    assert torch.equal(tower.encode_texts(TEXTS), expected)


def test_the_prompt_gets_the_gradient_of_open_clips_own_layers(tower: PackedTower) -> None:
    """Text by text, through open_clip's transformer and autograd."""
    clip, tokens = tower.text, [tower.tokenise(text) for text in TEXTS]
    ours, theirs = (torch.randn(3, 16, generator=torch.manual_seed(1)).requires_grad_() for _ in range(2))
    weights = torch.randn(len(TEXTS), 12)
    rows = []
    for text in tokens:
        words = clip.token_embedding(torch.tensor([*tower.tokeniser.start, *text, *tower.tokeniser.end]))
        x = torch.cat([words[:1], theirs, words[1:]]) + clip.positional_embedding[: len(words) + 3]
        x = clip.transformer(x[None], attn_mask=clip.attn_mask[: len(x), : len(x)])
        rows.append(clip.ln_final(x[0, -1]) @ clip.text_projection)
    torch.testing.assert_close(tower.encode(tokens, ours), torch.stack(rows))
    (torch.stack(rows) * weights).sum().backward()
    (tower.encode(tokens, ours) * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    with torch.autocast('cpu', torch.bfloat16):
        (exact,) = torch.autograd.grad((tower.encode(tokens, ours) * weights).sum(), ours)
    assert F.cosine_similarity(exact.flatten(), theirs.grad.flatten(), 0) > 0.999


@pytest.mark.parametrize('config', [dict(), dict(ls_init_value=0.3)])
@pytest.mark.parametrize('quick_gelu', [True, False])
def test_blocks_equal_open_clips(quick_gelu: bool, config: dict) -> None:
    activation = open_clip.transformer.QuickGELU if quick_gelu else torch.nn.GELU
    block = open_clip.transformer.ResidualAttentionBlock(16, 2, act_layer=activation, **config).requires_grad_(False)
    for parameter in block.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    packs = Packs.of([[1, 2], [3, 4, 5], [6]], lead=2, device=torch.device('cpu'))
    x = torch.randn(packs.tokens.numel(), 16)
    ends = FrozenBlock.of(block, torch.float32)(x, packs, packs.ends)
    for end, length in zip(packs.ends.tolist(), (2, 3, 1), strict=True):
        own = torch.cat([x[:2], x[end + 1 - length : end + 1]])
        mask = torch.full((len(own), len(own)), -torch.inf).triu(1)
        torch.testing.assert_close(ends[packs.ends.tolist().index(end)], block(own[None], attn_mask=mask)[0, -1])


def test_too_long_a_text_is_named(tower: PackedTower) -> None:
    with pytest.raises(TextBankError, match=r'lamp lamp .*takes 20; shorten'):
        tower.encode_texts(['lamp ' * 30])


def test_moves_as_a_whole(tiny_clip: str) -> None:
    meta = torch.device('meta')  # as on some accelerators, parameters are replaced by the move
    moved = open_tower(tiny_clip, None).to(meta)
    clip = moved.text
    assert {clip.positional_embedding.device, clip.text_projection.device, clip.ln_final.weight.device} == {meta}


def test_copies_share_the_tower_and_equal_weights_the_digest(tower: PackedTower, tiny_clip: str) -> None:
    assert copy.deepcopy(tower) is tower
    assert open_tower(tiny_clip, None).digest == tower.digest


@pytest.mark.slow
def test_equals_open_clip_at_full_size() -> None:
    torch.testing.assert_close(
        open_tower('RN50-quickgelu', None).encode_texts(TEXTS),
        load_open_clip('RN50-quickgelu', None).encode_text(open_clip.get_tokenizer('RN50-quickgelu')(TEXTS)),
        atol=1e-4,
        rtol=1e-4,
    )
