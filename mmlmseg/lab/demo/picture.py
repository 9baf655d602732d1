"""The demo's picture: each held-out image with truth and prediction in every label space, and a free class list; at the
end, one image asked in two spaces at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...apis.masks import MaskSegmentation
from ...label_space import LabelSpace
from ...visualization.drawing import Panel, overlay, panel_grid
from .at_once import draw_at_once
from .data import IGNORE, HeldOut

_WIDTH, _TEXT_SIZE, _GAP = 330, 15, 10  # of panels, letters, and the space between panels
_STRENGTH = 0.75  # of the colours


def draw_picture(
    shown: Sequence[HeldOut],
    predictions: Mapping[str, Sequence[np.ndarray]],
    spaces: Sequence[LabelSpace],
    free: LabelSpace,
    at_once: MaskSegmentation | None = None,
) -> np.ndarray:
    """Arranges two lines per image: the input and the truths, below them the free class list and the predictions.

    Args:
        shown: The images.
        predictions: Label maps [H, W] of the images by the name of the space.
        spaces: The label spaces of the model, one column each.
        free: The free class list.
        at_once: Masks of the first image in two label spaces; None leaves this part out.

    Returns:
        RGB, uint8 [H, W, 3].
    """
    rows = []
    for place, image in enumerate(shown):
        maps = {name: found[place] for name, found in predictions.items()}
        rows.append([Panel(image.image, image.name), *(_truth(image, space) for space in spaces)])
        rows.append([_prediction(image, maps[free.name], free), *(_prediction(image, maps[s.name], s) for s in spaces)])
    if at_once is not None:
        half = (len(rows[0]) * (_WIDTH + _GAP) - 2 * _GAP) // 2
        rows.append(draw_at_once(shown[0].image, shown[0].name, at_once, half, _TEXT_SIZE))
    return panel_grid(rows, _WIDTH, _TEXT_SIZE, _GAP)


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
