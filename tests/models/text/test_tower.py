from __future__ import annotations

import pytest
import torch

from mmlmseg.errors import TextBankError
from mmlmseg.models.text.open_tower import open_tower
from mmlmseg.models.text.tower import weights_digest


def test_equal_weights_have_equal_digests_and_others_have_not() -> None:
    weights = {'a': torch.tensor([1.0, 2.0]), 'b': torch.tensor([[3.0]])}
    digest = weights_digest(weights)
    assert digest == weights_digest({'b': weights['b'].half(), 'a': weights['a'].double()})
    assert digest != weights_digest({**weights, 'b': torch.tensor([[3.5]])})
    assert digest != weights_digest({**weights, 'b': torch.tensor([3.0])})
    assert digest != weights_digest({'c': weights['a'], 'b': weights['b']})


@pytest.mark.parametrize('model', ['tiny', 'tiny-last'])
def test_what_does_not_fit_behind_the_prompt_is_named(model: str, tiny_clip: str) -> None:
    tower = open_tower(model, None)
    tokens = [tower.tokenise('tree'), tower.tokenise('lamp ' * 10)]
    assert tower.encode(tokens, torch.zeros(8, 16)).shape == (2, 12)
    with pytest.raises(TextBankError, match=r"'lamp lamp .*makes 21 tokens, .*takes 20; shorten"):
        tower.encode(tokens, torch.zeros(9, 16))


def test_tokens_of_another_tokenizer_are_refused(tiny_clip: str) -> None:
    tower = open_tower('tiny', None)
    with pytest.raises(TextBankError, match='makes the token 60000, but the text tower knows 49408'):
        tower.encode([[5], [60000]], torch.zeros(0, 16))
