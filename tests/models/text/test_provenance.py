from __future__ import annotations

import pytest
import torch

from mmlmseg.checkpoint import pack
from mmlmseg.errors import CheckpointError
from mmlmseg.models.text import TextSource
from mmlmseg.models.text.provenance import TableProvenance, read_provenance

PROVENANCE = TableProvenance(TextSource('toy', 'a {name}', 2, 'abc'), ('tree', 'façade'))


def test_survives_packing() -> None:
    packed = PROVENANCE.pack()
    assert packed.dtype == torch.uint8
    assert TableProvenance.unpack(packed) == PROVENANCE


@pytest.mark.parametrize(
    'packed', [torch.zeros(3, dtype=torch.uint8), pack({'names': ['tree']}), pack({'source': {}, 'names': []})]
)
def test_other_bytes_are_refused(packed: torch.Tensor) -> None:
    with pytest.raises(CheckpointError, match='provenance of the text table in the checkpoint cannot be read'):
        TableProvenance.unpack(packed)


@pytest.mark.parametrize('prefix', ['', 'decode_head.text.'])
def test_is_found_beside_a_table_only(prefix: str) -> None:
    state = {'decode_head._extra_state': pack({'label_spaces': []}), f'{prefix}_extra_state': PROVENANCE.pack()}
    assert read_provenance(state) is None
    assert read_provenance({**state, f'{prefix}table': torch.zeros(3, 4)}) == PROVENANCE
