from __future__ import annotations

import torch

from mmlmseg.models.text.packs import PACK_TOKENS, Packs, balanced


def test_shares_are_about_equally_long_and_hold_everything_once() -> None:
    lengths = torch.randint(1, 6, (150,)).tolist()
    shares = balanced(lengths, 32)
    loads = [sum(lengths[i] for i in share) for share in shares]
    assert sorted(i for share in shares for i in share) == list(range(150))
    assert len(shares) == -(-sum(lengths) // 32)
    assert max(loads) - min(loads) <= max(lengths)
    assert balanced([7], 3) == [[0]]  # none is empty


def test_a_token_sees_the_lead_and_its_own_text_up_to_itself() -> None:
    texts = [[10 * i + j for j in range(1 + i % 4)] for i in range(40)]
    packs = Packs.of(texts, lead=3, device=torch.device('cpu'))
    count, size = packs.tokens.shape
    assert size <= PACK_TOKENS
    assert count * size - sum(map(len, texts)) < count * 4
    assert packs.lead_bias.isinf().equal(torch.ones(3, 3, dtype=torch.bool).triu(1))
    for text, end in zip(texts, packs.ends.tolist(), strict=True):
        row, last = divmod(end - 3, size)
        for i in range(len(text)):
            at = last - len(text) + 1 + i
            assert packs.tokens[row, at] == text[i]
            assert packs.position[row, at] == 3 + i
            seen = packs.bias[row, 0, at].eq(0).nonzero().flatten().tolist()
            assert seen == [0, 1, 2, *range(3 + at - i, 3 + at + 1)]
