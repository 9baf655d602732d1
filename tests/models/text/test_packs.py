from __future__ import annotations

import torch

from mmlmseg.models.text.packs import PACK_TOKENS, Packs, balanced


def test_shares_are_about_equally_long_and_hold_everything_once() -> None:
    lengths = torch.randint(1, 6, (150,)).tolist()
    shares = balanced(lengths, 32)
    loads = [sum(lengths[i] for i in share) for share in shares]
    assert sorted(i for share in shares for i in share) == list(range(150))
    assert shares[0][0] == 0
    assert len(shares) == -(-sum(lengths) // 32)
    assert max(loads) - min(loads) <= max(lengths)
    assert balanced([1, 7], 3) == [[0], [1]]  # none is empty


def test_a_token_sees_the_lead_and_its_own_text_up_to_itself() -> None:
    texts = [[10 * i + j for j in range(1 + i % 4)] for i in range(40)]
    packs = Packs.of(texts, lead=3, device=torch.device('cpu'))
    count, size = packs.tokens.shape
    assert size <= PACK_TOKENS
    assert count * size - sum(map(len, texts)) - 3 < count * 4
    sees = packs.bias[:, 0].eq(0)  # [P, T, lead + T]
    assert packs.position[0, :3].tolist() == [0, 1, 2]
    for i in range(3):
        assert sees[0, i].nonzero().flatten().tolist() == [3 + j for j in range(i + 1)]
    for text, end in zip(texts, packs.ends.tolist(), strict=True):
        row, last = divmod(end, size)
        first = last + 1 - len(text)
        assert packs.tokens[row, first : last + 1].tolist() == text
        for i in range(len(text)):
            assert packs.position[row, first + i] == 3 + i
            own = range(3 + first, 3 + first + i + 1)
            assert sees[row, first + i].nonzero().flatten().tolist() == [0, 1, 2, *own]
