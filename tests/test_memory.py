"""Memory that does not grow with the steps of a training."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mmlmseg.registry import MODELS

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')


def resident() -> float:
    """MB of this process that are in memory now."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@pytest.mark.slow
def test_training_keeps_no_step(model_config: Callable[..., dict], make_sample: Callable[..., dict[str, Any]]) -> None:
    model = MODELS.build(model_config()).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    seen = []
    for step in range(24):
        samples = [make_sample(space, seed=2 * step + i) for i, space in enumerate(('street', 'facade'))]
        data = model.data_preprocessor({key: [s[key] for s in samples] for key in samples[0]}, True)
        losses = model(**data, mode='loss')
        sum(loss for name, loss in losses.items() if 'loss' in name).backward()
        optimizer.step()
        optimizer.zero_grad()
        seen.append(resident())
    assert seen[-1] - seen[7] < 20
