"""Pictures of the worst samples: the image, with its labels over it, small enough to stand in a report."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from ..label_space import LabelSpace
from ..segments import ignore_index_of
from ..visualization.drawing import Panel, Picture, as_picture, legend_entries, overlay, panel_grid
from .examination import Examination
from .findings import Case
from .reading import read_sample

PANEL_WIDTH = 240
OUTSIDE = (255, 0, 255)
"""The colour of ids outside of a label space."""
_QUALITY = 80


def picture_of_case(case: Case, examination: Examination) -> str | None:
    """The samples of a case side by side, as an address that holds a JPEG; None where no image can be loaded."""
    panels = [panel for number, place in case.places for panel in _panels(examination, number, place)]
    if not panels:
        return None
    file = io.BytesIO()
    Image.fromarray(panel_grid([panels], PANEL_WIDTH, text_size=12)).save(file, 'JPEG', quality=_QUALITY)
    return f'data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}'


def _panels(examination: Examination, number: int, place: int) -> list[Panel]:
    examined = examination.examined[number]
    spaces = examined.source.spaces
    _, pixels = read_sample(*examined.source.samples[place], spaces)
    if pixels.image is None:
        return []
    image = _small(pixels.image)
    title = f'{examined.source.split} {pixels.image.shape[1]}x{pixels.image.shape[0]}'
    return [Panel(image, title), *_label_panels(image, pixels.labels, spaces)]


def _label_panels(image: Picture, maps: Sequence[np.ndarray | None], spaces: Sequence[LabelSpace]) -> list[Panel]:
    panels = []
    for labels, space in zip(maps, spaces, strict=True):
        if labels is None:
            continue
        outside = (labels >= space.num_classes) & (labels != ignore_index_of(space.num_classes))
        known = np.where(outside, space.num_classes, labels).astype(labels.dtype)
        known = np.asarray(cv2.resize(known, image.shape[1::-1], interpolation=cv2.INTER_NEAREST), dtype=labels.dtype)
        entries = legend_entries(known, space)
        if outside.any():
            ids = ', '.join(map(str, np.unique(labels[outside])[:3]))
            entries.append((f'outside: {ids}', OUTSIDE))
        drawn = overlay(image, known, [*space.palette[: space.num_classes], OUTSIDE])
        panels.append(Panel(drawn, f'labels {labels.shape[1]}x{labels.shape[0]}', entries[:8]))
    return panels


def _small(image: np.ndarray) -> Picture:
    """An image as loaded, of any depth and any number of channels, as a small RGB picture."""
    image = image[..., :3] if image.ndim == 3 else image  # OpenCV shrinks four channels at most
    scale = PANEL_WIDTH / image.shape[1]
    size = PANEL_WIDTH, max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return as_picture(small)
