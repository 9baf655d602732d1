"""The demo's picture: each held-out image with truth and prediction in every label space, and a free class list; at the
end, one image asked in two spaces at once, whose masks overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ...apis.results import MaskSegmentation
from ...label_space import LabelSpace
from ...segments import IGNORE_INDEX
from ...visualization.drawing import Panel, Picture, overlay, panel_grid, percentage
from ..figures.layers import Layer, draw_layers
from .data import HeldOut

_WIDTH, _TEXT_SIZE, _GAP = 330, 15, 10  # of panels, letters, and the space between panels
_STRENGTH = 0.75  # of the colours
_LEAST_SHARE = 0.05  # of a mask that a class must cover to be named as a part of it
_LEAST_AREA = 0.005  # of the image, for a mask to be looked at closely
_MARGIN = 0.1  # around what is looked at closely


def draw_picture(
    shown: Sequence[HeldOut],
    predictions: Mapping[str, Sequence[np.ndarray]],
    spaces: Sequence[LabelSpace],
    free: LabelSpace,
    at_once: MaskSegmentation | None = None,
) -> Picture:
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
    ids = {*np.unique(labels).tolist(), *np.unique(image.truth.get(space.name, labels)).tolist()} - {IGNORE_INDEX}
    entries = [(space.classes[i], space.palette[i]) for i in sorted(ids)]
    return Panel(overlay(image.image, labels, space.palette, _STRENGTH), f'{space.name}: prediction', entries)


def draw_at_once(image: Picture, name: str, found: MaskSegmentation, width: int, text_size: int) -> list[Panel]:
    """Shows the masks of two label spaces over one image, and what those of the first are in the second.

    Args:
        image: RGB, uint8 [H, W, 3].
        name: Its title.
        found: Its masks in two label spaces; those of the first are outlined, those of the second filled.
        width: Of each panel.
        text_size: Height of the letters in pixels.

    Returns:
        The whole image with the names of the classes below, and the part of it where masks have most to say to one
        another, with the names in the picture and the overlaps below.
    """
    outlined, filled = (Layer(*found.layer(which), space) for which, space in enumerate(found.spaces))
    title = f'{name} in one pass: {outlined.space.name} (outlined) and {filled.space.name} (filled)'
    names = [layer.entry(c) for layer in (outlined, filled) for c in sorted({*layer.labels})]
    equations = []
    for c, parts in overlaps(outlined, filled):
        class_name, colour = outlined.entry(c)
        equations.append((f'{class_name} = {_sum_of(parts, filled.space)}', colour))
    part = _richest_part(outlined, filled)
    closer = [replace(layer, ids=layer.ids[part]) for layer in (outlined, filled)]
    heading = 'closer: masks that overlap, and what they are in the other space'
    return [
        Panel(draw_layers(image, outlined, filled, width), title, names, width),
        Panel(draw_layers(image[part], closer[0], closer[1], width, text_size), heading, equations, width),
    ]


def overlaps(outlined: Layer, filled: Layer) -> list[tuple[int, list[tuple[int, float]]]]:
    """What the classes of a layer are in another.

    Returns:
        Each class of the first layer, with the classes of the second that cover a part of it worth naming, -1 for no
        mask, and the share that they cover, largest first. Classes of many parts come first; those that only void
        covers are left out.
    """
    above, below = outlined.class_map(), filled.class_map()
    found = [(label, _parts(below[above == label])) for label in np.unique(above[above >= 0]).tolist()]
    named = [(label, parts) for label, parts in found if any(c >= 0 for c, _ in parts)]
    return sorted(named, key=lambda entry: -len(entry[1]))


def _parts(classes: NDArray[np.integer]) -> list[tuple[int, float]]:
    """The classes of some pixels, -1 for void, with their share of all of these, largest first; small ones left out."""
    present, areas = np.unique(classes, return_counts=True)
    parts = [(c, area / classes.size) for c, area in zip(present.tolist(), areas.tolist(), strict=True)]
    return sorted((part for part in parts if part[1] >= _LEAST_SHARE), key=lambda part: -part[1])


def _sum_of(parts: Sequence[tuple[int, float]], space: LabelSpace) -> str:
    """Classes of a space and their shares, like ``wardrobe:shirt 60% + trousers 30% + no mask 10%``."""
    terms = [f'{space.classes[c] if c >= 0 else "no mask"} {percentage(share)}' for c, share in parts]
    return f'{space.name}:{" + ".join(terms)}' if parts[0][0] >= 0 else f'{space.name}: {" + ".join(terms)}'


def _richest_part(outlined: Layer, filled: Layer) -> tuple[slice, slice]:
    """The part of an image, in its aspect, around that piece of an outlined mask which is most different things in the
    filled layer, or the largest of several such; the whole image where there is none."""
    above, below = outlined.class_map(), filled.class_map()
    height, width = above.shape
    best, box = (0, 0), (0, 0, width, height)
    for label in dict.fromkeys(outlined.labels):
        _, pieces, statistics, _ = cv2.connectedComponentsWithStats((above == label).astype(np.uint8))
        for piece, (*where, area) in enumerate(statistics.tolist()[1:], 1):
            worth = sum(c >= 0 for c, _ in _parts(below[pieces == piece])), area
            if area >= _LEAST_AREA * above.size and worth > best:
                best, box = worth, where
    left, top, wide, high = box
    scale = min(1.0, (1 + 2 * _MARGIN) * max(wide / width, high / height))
    size = round(scale * height), round(scale * width)
    start = (
        int(np.clip(middle - length / 2, 0, limit - length))
        for middle, length, limit in zip((top + high / 2, left + wide / 2), size, (height, width), strict=True)
    )
    rows, columns = (slice(first, first + length) for first, length in zip(start, size, strict=True))
    return rows, columns
