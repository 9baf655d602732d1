"""What models found goes through a file and comes back; what cannot be is refused in tests/bad_inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mmlmseg.gains.archive import read_counts, save_counts
from mmlmseg.gains.counts import CountedModel
from mmlmseg.relations import Relations


@pytest.mark.parametrize('text', [False, True])
def test_counts_come_back(counted: Callable[..., CountedModel], tmp_path: Path, text: bool) -> None:
    rows = torch.rand(8, 5) if text else None
    relations = Relations(same=(('street:cow', 'farm:cow'),))
    own = counted(1, datasets=('street', 'farm'), rows=rows, relations=relations)
    save_counts(tmp_path / 'a' / 'counts.npz', own)
    back = read_counts(tmp_path / 'a' / 'counts.npz')
    assert (back.name, back.architecture, back.relations) == (own.name, own.architecture, relations)
    assert list(back.spaces) == list(own.spaces)
    assert back.rows is rows is None or torch.equal(back.rows, rows)
    for mine, theirs in zip(own.datasets, back.datasets, strict=True):
        assert torch.equal(mine.areas, theirs.areas)
        assert replace(theirs, areas=mine.areas) == mine
