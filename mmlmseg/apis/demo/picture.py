"""The demo's picture: each held-out image with truth and prediction in every label space, and the free class list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...label_space import LabelSpace
from ...visualization.drawing import Panel, overlay, panel_grid
from .data import IGNORE, HeldOut

_STRENGTH = 0.75  # of the colours


def draw_picture(
    shown: Sequence[HeldOut],
    predictions: Mapping[str, Sequence[np.ndarray]],
    spaces: Sequence[LabelSpace],
    free: LabelSpace,
) -> np.ndarray:
    """Arranges two lines per image: the input and the truths, below them the free class list and the predictions.

    Args:
        shown: The images.
        predictions: Label maps [H, W] of the images by the name of the space.
        spaces: The label spaces of the model, one column each.
        free: The free class list.

    Returns:
        RGB, uint8 [H, W, 3].
    """
    rows = []
    for place, image in enumerate(shown):
        maps = {name: found[place] for name, found in predictions.items()}
        rows.append([Panel(image.image, image.name), *(_truth(image, space) for space in spaces)])
        rows.append([_prediction(image, maps[free.name], free), *(_prediction(image, maps[s.name], s) for s in spaces)])
    return panel_grid(rows, panel_width=330, text_size=15)


def _truth(image: HeldOut, space: LabelSpace) -> Panel:
    truth = image.truth.get(space.name)
    if truth is None:
        return Panel(np.full_like(image.image, 245), f'{space.name}: no truth')
    return Panel(overlay(image.image, truth, space.palette, _STRENGTH), f'{space.name}: truth')


def _prediction(image: HeldOut, labels: np.ndarray, space: LabelSpace) -> Panel:
    """The prediction, with a legend of the classes that it or the truth holds."""
    ids = {*np.unique(labels).tolist(), *np.unique(image.truth.get(space.name, labels)).tolist()} - {IGNORE}
    entries = [(space.classes[i], space.palette[i]) for i in sorted(ids)]
    return Panel(overlay(image.image, labels, space.palette, _STRENGTH), f'{space.name}: prediction', entries)
