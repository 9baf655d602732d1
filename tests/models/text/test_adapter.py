from __future__ import annotations

import torch
import torch.nn.functional as F

from mmlmseg.models.text.adapter import TextAdapter
from mmlmseg.models.text.bank import TextBank

NAMES = [
    'sky',
    'building',
    'pole',
    'road',
    'pavement',
    'tree',
    'sign symbol',
    'fence',
    'car',
    'pedestrian',
    'bicyclist',
]


def cosines(rows: torch.Tensor) -> torch.Tensor:
    """The cosines of all pairs."""
    rows = F.normalize(rows, dim=-1)
    return (rows @ rows.T)[~torch.eye(len(rows), dtype=torch.bool)]


def test_names_start_well_apart() -> None:
    embeddings = F.normalize(TextBank.load('minilm').rows(NAMES), dim=-1)
    adapter = TextAdapter(384, 128)
    adapter.centre_(embeddings)
    rows = adapter(embeddings).detach()
    assert cosines(rows).mean().abs() < 0.15 < 0.4 < cosines(embeddings).mean()
    assert cosines(rows).std() > 0.12 > 3 * cosines(torch.nn.Linear(384, 128)(embeddings).detach()).std() / 2
    torch.testing.assert_close(rows.mean(0), torch.zeros(128), atol=1e-4, rtol=0)
    assert 0.4 < rows.std() < 1.5


def test_full_precision_under_autocast() -> None:
    adapter = TextAdapter(8, 4)
    embeddings = F.normalize(torch.randn(3, 8), dim=-1)
    with torch.autocast('cpu', torch.bfloat16):
        rows = adapter(embeddings)
    assert rows.dtype == torch.float32
    assert torch.equal(rows, adapter(embeddings))
    assert adapter.double()(embeddings).dtype == torch.float64


def test_more_channels_than_width() -> None:
    embeddings = F.normalize(torch.randn(5, 8), dim=-1)
    torch.testing.assert_close(cosines(TextAdapter(8, 32)(embeddings)), cosines(embeddings))
