"""The pictures of numbers that the viewer reads."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmlmseg.apis import LMSegInferencer
from mmlmseg.app.choices import Choices, found
from mmlmseg.app.layers import layers
from mmlmseg.app.payload import payload
from mmlmseg.app.session import ask


def decoded(address: str) -> np.ndarray:
    kind, _, content = address.partition(';base64,')
    assert kind.startswith('data:image/')
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))).astype(int)


@pytest.mark.parametrize('show', ['classes', 'segments'])
def test_colours_are_numbers_of_entries_scores_and_queries(inferencer: LMSegInferencer, photo: Path, show: str) -> None:
    session = ask(inferencer, photo, ['street', 'facade'])
    choices = Choices(show)  # type: ignore[arg-type]
    made = layers(session, choices, found(session, choices))
    told = json.loads(json.dumps(payload(session.picture, made)))
    assert decoded(told['image']).shape == session.picture.shape
    assert [one['space'] for one in told['layers']] == ['street', 'facade']
    for layer, one in zip(made, told['layers'], strict=True):
        ids, queries = decoded(one['ids']), decoded(one['queries'])
        assert np.array_equal(ids[..., 0] + 256 * ids[..., 1], layer.ids)
        assert np.abs(ids[..., 2] / 255 - layer.scores).max() <= 0.5 / 255 + 1e-6
        assert np.array_equal(queries[..., 0] + 256 * queries[..., 1] - 1, layer.queries)
        assert [entry['name'] for entry in one['entries']] == [entry.name for entry in layer.entries]
        assert sum(entry['share'] for entry in one['entries']) == pytest.approx((layer.ids > 0).mean(), abs=1e-3)
