"""Two layers of masks over one image, which may overlap: the segments of one are outlined, of the other filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ...label_space import LabelSpace
from ...palette import Colour
from ...segments import class_map
from ...visualization.drawing import INK, PAPER, Picture, load_font, overlay
from .label_placement import Points, place_labels

_STRENGTH = 0.6  # of the colours
_DOT = 3  # radius of the marker of a label


@dataclass(frozen=True)
class Layer:
    """The segments of one label space, as ``layer`` of a :class:`SegmentMap` or a :class:`MaskSet` gives them.

    Attributes:
        ids: Segment ids [H, W]: 0 is void, T segments are 1 to T.
        labels: The class of each segment, that of segment 1 first.
        space: The label space.
    """

    ids: NDArray[np.integer]
    labels: Sequence[int]
    space: LabelSpace

    def class_map(self) -> NDArray[np.int64]:
        """Class ids [H, W], -1 for void."""
        return class_map(self.ids, self.labels, void=-1)

    def entry(self, label: int) -> tuple[str, Colour]:
        """Name and colour of a class, for a legend: ``street:car``."""
        return f'{self.space.name}:{self.space.classes[label]}', self.space.palette[label]


def draw_layers(image: Picture, outlined: Layer, filled: Layer, width: int, text_size: int = 0) -> Picture:
    """Draws an image with two layers of segments over it.

    Args:
        image: RGB, uint8 [H, W, 3].
        outlined: Its segments get a contour.
        filled: Its segments are tinted.
        width: Of the picture.
        text_size: Height of the letters of the names, which point at the largest area of each class; 0 leaves them out.

    Returns:
        RGB, uint8 [h, width, 3], in the aspect of the image.
    """
    size = width, max(1, round(image.shape[0] * width / image.shape[1]))
    drawn = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    outlined, filled = (_enlarge(layer, size) for layer in (outlined, filled))
    drawn = overlay(drawn, filled.class_map(), filled.space.palette, _STRENGTH)
    line = 1 + width // 250
    for segment, label in enumerate(outlined.labels, 1):
        inside = (outlined.ids == segment).astype(np.uint8)
        for thickness, colour in ((line + 1, PAPER), (line, outlined.space.palette[label])):  # seen on every ground
            kernel = np.ones((2 * thickness + 1,) * 2, np.uint8)
            drawn[(inside > 0) & (cv2.erode(inside, kernel) == 0)] = colour
    if not text_size:
        return drawn
    names = [*_names(outlined, on_contour=True), *_names(filled, on_contour=False)]
    return _write(drawn, names, text_size)


def _enlarge(layer: Layer, size: tuple[int, int]) -> Layer:
    """A layer at another (width, height), with smooth borders."""
    shares = [cv2.resize((layer.ids == i).astype(np.float32), size) for i in range(len(layer.labels) + 1)]
    return replace(layer, ids=np.argmax(shares, axis=0))


def _names(layer: Layer, on_contour: bool) -> list[tuple[str, Colour, tuple[int, int]]]:
    """Name, colour and the place (x, y) that it points at, of each class of a layer."""
    found, classes = [], layer.class_map()
    for label in dict.fromkeys(layer.labels):
        _, pieces, statistics, _ = cv2.connectedComponentsWithStats((classes == label).astype(np.uint8))
        if len(statistics) == 1:  # too small to be seen
            continue
        piece = pieces == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax()
        if on_contour:
            y = int(piece.any(axis=1).argmax())
            x = int(np.median(np.flatnonzero(piece[y])))
        else:
            depth = cv2.distanceTransform(np.pad(piece, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
            y, x = divmod(int(depth.argmax()), piece.shape[1])
        found.append((*layer.entry(label), (x, y)))
    return found


def _write(picture: Picture, names: Sequence[tuple[str, Colour, tuple[int, int]]], text_size: int) -> Picture:
    """Writes names near the places that they point at, none over another."""
    if not names:
        return picture
    font, pad = load_font(text_size), text_size // 4
    anchors: Points = np.array([place for *_, place in names], float)
    sizes = np.array([(font.getlength(name) + 2 * pad, text_size + 2 * pad) for name, *_ in names])
    height, width = picture.shape[:2]
    centres = place_labels(anchors, sizes, np.full(len(names), 2.0 * _DOT), (width, height))
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    for (_, _, (x, y)), centre in zip(names, centres, strict=True):
        draw.line((x, y, *centre), fill=INK, width=1)
    for (name, colour, (x, y)), centre, size in zip(names, centres, sizes, strict=True):
        draw.ellipse((x - _DOT, y - _DOT, x + _DOT, y + _DOT), fill=colour, outline=PAPER)
        draw.rectangle((*(centre - size / 2), *(centre + size / 2)), fill=PAPER, outline=colour, width=2)
        draw.text(tuple(centre), name, fill=INK, font=font, anchor='mm')
    return np.asarray(canvas)
