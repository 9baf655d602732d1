from __future__ import annotations

import pytest
import torch

from mmlmseg.checkpoint import pack, unpack
from mmlmseg.errors import CheckpointError


def test_what_is_packed_comes_back() -> None:
    data = {'names': ['sky', 'façade'], 'sizes': [[1, 2], [3, 4]], 'empty': []}
    assert unpack(pack(data)) == data


@pytest.mark.parametrize('foreign', [torch.tensor([200, 200], dtype=torch.uint8), torch.randn(3), {'names': []}])
def test_anything_else_is_an_error(foreign: object) -> None:
    with pytest.raises(CheckpointError, match='cannot be read'):
        unpack(foreign)
