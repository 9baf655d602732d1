from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from mmlmseg.errors import TextBankError
from mmlmseg.models.text import TextBank, TextBankEncoder, TextSource

CPU = torch.device('cpu')


def test_a_bank_gives_unit_rows_and_learns_nothing() -> None:
    encoder = TextBankEncoder()
    rows = encoder.encode(['tree', 'car'], CPU)
    torch.testing.assert_close(rows.norm(dim=-1), torch.ones(2))
    assert encoder.width == 384
    assert not list(encoder.parameters())
    assert not encoder.state_dict()


def test_a_larger_bank_of_the_same_source_will_do_another_will_not(tmp_path: Path) -> None:
    source = TextSource('toy', 'a {name}', 2, 'abc')
    TextBank(['a', 'b'], torch.ones(2, 2), source).save(tmp_path / 'larger.safetensors')
    TextBank(['a'], torch.ones(1, 3), TextSource('toy', 'a {name}', 3, 'abc')).save(tmp_path / 'wider.safetensors')
    TextBankEncoder(str(tmp_path / 'larger.safetensors')).expect(source)
    with pytest.raises(TextBankError, match=r'wider\.safetensors.*width is 3.*trained with 2'):
        TextBankEncoder(str(tmp_path / 'wider.safetensors')).expect(source)


def test_copies_share_the_bank() -> None:
    encoder = TextBankEncoder()
    early = copy.deepcopy(encoder)
    bank = encoder.bank
    late = copy.deepcopy(encoder)
    assert late is not encoder
    assert early.bank is bank
    assert late.bank is bank


def test_a_missing_bank_matters_only_when_text_is_encoded() -> None:
    encoder = TextBankEncoder('absent.safetensors')
    assert encoder.width is None
    with pytest.raises(TextBankError, match=r'absent\.safetensors: no such text bank'):
        encoder.encode(['tree'], CPU)
