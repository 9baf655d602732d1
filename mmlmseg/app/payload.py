"""Layers as the viewer in the browser takes them: pictures whose colours are numbers, and what the numbers mean."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from ..visualization.drawing import Picture
from .layers import Layer

PAINTED = 'PNG'
PHOTO = 'JPEG'


def payload(picture: Picture, layers: Sequence[Layer]) -> dict[str, Any]:
    """What ``viewer.js`` shows.

    Returns:
        ``image``, a data URL; and ``layers``, each with ``space``, ``entries`` (``name``, ``colour``, ``score``,
        ``share``, ``also``) and two PNGs as data URLs: ``ids``, whose red + 256 green is the number of an entry from 1
        on, 0 for none, and whose blue is 255 times the score of the pixel; ``queries``, whose red + 256 green is
        the number of a query from 1 on, perhaps at a coarser grid.
    """
    return dict(
        image=_data_url(picture, PHOTO),
        layers=[
            dict(
                space=layer.space.name,
                entries=[
                    dict(
                        name=entry.name,
                        colour='#{:02x}{:02x}{:02x}'.format(*entry.colour),
                        score=round(entry.score, 4),
                        share=round(entry.share, 5),
                        also=list(entry.also),
                    )
                    for entry in layer.entries
                ],
                ids=_data_url(_numbered(layer.ids, layer.scores), PAINTED),
                queries=_data_url(_numbered(layer.queries + 1), PAINTED),
            )
            for layer in layers
        ],
    )


def _numbered(numbers: NDArray[np.integer], scores: NDArray[np.floating] | None = None) -> Picture:
    """Numbers below 65536 [H, W], and scores from 0 to 1, as colours."""
    blue = np.zeros(numbers.shape) if scores is None else (scores.clip(0, 1) * 255).round()
    return np.stack([numbers % 256, numbers // 256, blue], -1).astype(np.uint8)


def _data_url(picture: Picture, kind: str) -> str:
    content = io.BytesIO()
    PILImage.fromarray(picture).save(content, kind, **(dict(quality=92) if kind == PHOTO else {}))
    return f'data:image/{kind.lower()};base64,{base64.b64encode(content.getvalue()).decode()}'
