from __future__ import annotations

import copy

import open_clip
import pytest
import torch

from mmlmseg.errors import TextBankError
from mmlmseg.models.open_clip_loader import load_open_clip
from mmlmseg.models.text.tower import TextTower, weights_digest

TEXTS = ['a photo of a cat', 'tree', 'a long wooden coffee table', 'traffic sign (back)']


@pytest.fixture(scope='module')
def tower(tiny_clip: str) -> TextTower:
    return TextTower(tiny_clip, None)


def reference(model: str) -> torch.Tensor:
    """open_clip's own embeddings of the texts."""
    with torch.no_grad():
        return load_open_clip(model, None).encode_text(open_clip.get_tokenizer(model, context_length=20)(TEXTS))


def test_equals_open_clip(tower: TextTower, tiny_clip: str) -> None:
    torch.testing.assert_close(tower.encode_texts(TEXTS), reference(tiny_clip))


def test_prompt_vectors_set_to_words_equal_these_words(tower: TextTower, tiny_clip: str) -> None:
    words = tower.tokenise('a photo of a')
    prompt = tower.clip.token_embedding(torch.tensor(words))
    prefix = 'a photo of a '
    names = ['cat', 'dog', 'traffic light']
    torch.testing.assert_close(
        tower.encode([tower.tokenise(name) for name in names], prompt),
        tower.encode_texts([prefix + name for name in names]),
    )


def test_only_the_prompt_gets_gradient(tower: TextTower) -> None:
    prompt = torch.randn(8, 16, requires_grad=True)
    tower.encode([[5, 6], [7]], prompt).sum().backward()
    assert prompt.grad is not None
    assert prompt.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in tower.clip.parameters())


def test_a_text_does_not_depend_on_its_batch(tower: TextTower) -> None:
    torch.testing.assert_close(tower.encode_texts(TEXTS)[1:2], tower.encode_texts(TEXTS[1:2]))


def test_many_texts_take_several_packs(tower: TextTower, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tower.encode_texts(TEXTS)
    monkeypatch.setattr('mmlmseg.models.text.tower.PACK', 3)
    torch.testing.assert_close(tower.encode_texts(TEXTS), expected)


def test_float32_under_autocast(tower: TextTower) -> None:
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(tower.encode_texts(TEXTS), tower.encode_texts(TEXTS).float())
    assert tower.encode_texts(TEXTS).dtype == torch.float32


def test_too_long_a_text_is_named(tower: TextTower) -> None:
    with pytest.raises(TextBankError, match=r'lamp lamp .*takes 20; shorten'):
        tower.encode_texts(['lamp ' * 30])


def test_moves_as_a_whole(tiny_clip: str) -> None:
    meta = torch.device('meta')  # as on some accelerators, parameters are replaced by the move
    moved = TextTower(tiny_clip, None).to(meta)
    clip = moved.clip
    assert {clip.positional_embedding.device, clip.text_projection.device, clip.ln_final.weight.device} == {meta}


def test_copies_share_the_tower_and_equal_weights_the_digest(tower: TextTower, tiny_clip: str) -> None:
    assert copy.deepcopy(tower) is tower
    assert TextTower(tiny_clip, None).digest == tower.digest


def test_equal_weights_have_equal_digests_and_others_have_not() -> None:
    weights = {'a': torch.tensor([1.0, 2.0]), 'b': torch.tensor([[3.0]])}
    digest = weights_digest(weights)
    assert digest == weights_digest({'b': weights['b'].half(), 'a': weights['a'].double()})
    assert digest != weights_digest({**weights, 'b': torch.tensor([[3.5]])})
    assert digest != weights_digest({**weights, 'b': torch.tensor([3.0])})
    assert digest != weights_digest({'c': weights['a'], 'b': weights['b']})


def test_other_text_towers_are_refused(tiny_clip: str) -> None:
    with pytest.raises(TextBankError, match='no causal CLIP text transformer'):
        TextTower(tiny_clip.replace('quickgelu', 'last'), None)


@pytest.mark.slow
def test_equals_open_clip_at_full_size() -> None:
    torch.testing.assert_close(
        TextTower('RN50-quickgelu', None).encode_texts(TEXTS),
        load_open_clip('RN50-quickgelu', None).encode_text(open_clip.get_tokenizer('RN50-quickgelu')(TEXTS)),
        atol=1e-4,
        rtol=1e-4,
    )
