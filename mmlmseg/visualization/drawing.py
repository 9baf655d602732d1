"""Pictures of label maps: pure functions on RGB arrays (uint8 [H, W, 3])."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..label_space import LabelSpace
from ..palette import Colour

Picture = NDArray[np.uint8]

INK = (30, 30, 30)
PAPER = (255, 255, 255)
MOST_HEIGHT = 4  # of an image in a panel, in widths of the panel
_SHADES = (0.0, 0.45, -0.4, 0.2, -0.2)  # of the segments of a class: towards white, or (negative) towards black


@dataclass(frozen=True)
class Panel:
    """One picture of a :func:`panel_grid`."""

    image: Picture
    title: str = ''  # written above the image
    entries: Sequence[tuple[str, Colour]] = ()  # name and colour of what the legend below it explains
    width: int | None = None  # what the image is scaled to; by default the width that the grid has for all


def as_picture(image: NDArray[Any]) -> Picture:
    """An image as loaded, ``[H, W]`` or BGR ``[H, W, C]``, of any depth and any number of channels, as an RGB picture.

    One that is not of bytes is stretched to its own range, unless that lies within 0 and 255; of other channels than
    three the first ones are shown.
    """
    image = image[..., None] if image.ndim == 2 else image
    image = image[..., 2::-1] if image.shape[2] >= 3 else image[..., :1].repeat(3, 2)
    if image.dtype != np.uint8:
        values = image.astype(np.float32)
        low, high = float(values.min()), float(values.max())
        low, high = (0, 255) if low >= 0 and 1 < high <= 255 else (low, high)
        image = ((values - low) * (255 / max(high - low, 1e-6))).round().astype(np.uint8)
    return np.ascontiguousarray(image)


def overlay(image: Picture, seg: NDArray[np.integer], palette: Sequence[Colour], alpha: float = 0.6) -> Picture:
    """Tint an image with the colours of its classes; ids without a colour (255: ignored) leave it as it is.

    Args:
        image: RGB, uint8 [H, W, 3].
        seg: Class ids [H, W].
        palette: RGB colour of each class.
        alpha: Strength of the colours; 1 hides the image.

    Returns:
        RGB, uint8 [H, W, 3].
    """
    if image.shape[:2] != seg.shape:
        raise ValueError(f'image {image.shape[:2]} and label map {seg.shape} differ in size.')
    colours = np.asarray(palette, dtype=np.float32).reshape(-1, 3)
    known = (seg >= 0) & (seg < len(colours))
    tint = colours[np.where(known, seg, 0)]  # [H, W, 3]
    mixed = (1 - alpha) * image.astype(np.float32) + alpha * tint
    return np.where(known[..., None], mixed.round(), image).astype(np.uint8)


def overlay_segments(
    image: Picture,
    segment_map: NDArray[np.integer],
    labels: Sequence[int],
    palette: Sequence[Colour],
    alpha: float = 0.6,
) -> Picture:
    """Tint an image with the colours of its segments: shades of their class's colour, with thin borders between them.

    Args:
        segment_map: Segment ids [H, W]: 0 is void and leaves the image as it is, S segments are 1 to S.
        labels: The class of each segment, that of segment 1 first.
        image, palette, alpha: As of :func:`overlay`, and so is the result.
    """
    if segment_map.max(initial=0) > len(labels):
        raise ValueError(f'the map holds segment {segment_map.max()}, but only {len(labels)} segments have a label.')
    if not labels:
        return image.copy()
    seen: Counter[int] = Counter()
    colours = []
    for label in labels:
        colours.append(shade_of(palette[label], seen[label]))
        seen[label] += 1
    ids = segment_map.astype(np.int64) - 1
    drawn = overlay(image, ids, colours, alpha)
    drawn[_borders(ids, width=1 + max(ids.shape) // 800)] = PAPER  # still seen where large images are scaled down
    return drawn


def class_shares(seg: NDArray[np.integer], num_classes: int) -> list[tuple[int, float]]:
    """Which classes a label map [H, W] holds, largest first: class id and share of the counted pixels, in (0, 1].

    Ids from ``num_classes`` on do not count.

    Examples:
        >>> class_shares(np.array([[0, 2], [2, 255]]), num_classes=3)
        [(2, 0.6666666666666666), (0, 0.3333333333333333)]
    """
    counts = np.bincount(seg.ravel(), minlength=num_classes)[:num_classes]
    total = max(int(counts.sum()), 1)
    order = np.argsort(-counts, kind='stable')
    return [(int(index), float(counts[index] / total)) for index in order if counts[index] > 0]


def legend_entries(
    seg: NDArray[np.integer], space: LabelSpace, numbers: Mapping[int, int] | None = None
) -> list[tuple[str, Colour]]:
    """What a legend has to explain: the classes of a label map [H, W] with their share, largest first.

    How many segments a class has, by ``numbers``, is written where there are several.

    Examples:
        >>> space = LabelSpace.create('farm', ['cow', 'grass'], palette=[(9, 9, 9), (0, 255, 0)])
        >>> legend_entries(np.array([[1, 1, 1, 0]]), space, {0: 2, 1: 1})
        [('grass 75%', (0, 255, 0)), ('cow (2) 25%', (9, 9, 9))]
    """
    entries = []
    for label, share in class_shares(seg, space.num_classes):
        number = (numbers or {}).get(label, 1)
        several = f' ({number})' if number > 1 else ''
        entries.append((f'{space.classes[label]}{several} {percentage(share)}', space.palette[label]))
    return entries


def percentage(share: float) -> str:
    """Write a share for people: ``43%``, and never 0 for what is there.

    Examples:
        >>> percentage(0.432), percentage(0.001)
        ('43%', '<1%')
    """
    return f'{share:.0%}' if share >= 0.005 else '<1%'


def legend(entries: Sequence[tuple[str, Colour]], width: int, text_size: int = 14) -> Picture:
    """Draw colour swatches with names, in as many columns as fit; names too long for the width end in an ellipsis.

    Letters are ``text_size`` pixels high; the picture, RGB, uint8 [h, width, 3], is as high as it has to be (0 without
    entries).
    """
    if not entries:
        return np.full((0, width, 3), 255, dtype=np.uint8)
    font, pad = load_font(text_size), text_size // 3
    swatch, line = text_size, text_size + 2 * pad
    names = [_shorten(name, font, width - swatch - 3 * pad) for name, _ in entries]
    cell = swatch + 3 * pad + max(int(font.getlength(name)) + 1 for name in names)
    columns = max(1, min(width // cell, len(entries)))
    rows = -(-len(entries) // columns)
    canvas = Image.new('RGB', (width, rows * line + pad), PAPER)
    draw = ImageDraw.Draw(canvas)
    for index, (name, (_, colour)) in enumerate(zip(names, entries, strict=True)):
        x, y = (index // rows) * (width // columns) + pad, (index % rows) * line + pad  # columns are read downwards
        draw.rectangle((x, y, x + swatch - 1, y + swatch - 1), fill=tuple(colour), outline=INK)
        draw.text((x + swatch + pad, y + swatch / 2), name, fill=INK, font=font, anchor='lm')
    return np.asarray(canvas)


def panel_grid(rows: Sequence[Sequence[Panel]], panel_width: int = 320, text_size: int = 14, gap: int = 10) -> Picture:
    """Arrange panels in rows, each with its title above and its legend below.

    Args:
        rows: Panels of each row; rows may differ in length.
        panel_width: Width every image is scaled to (its aspect is kept), where its panel has none of its own; a narrow
            one stays narrower, so as not to be more than :data:`MOST_HEIGHT` times as high.
        text_size: Height of the letters in pixels.
        gap: White space around panels in pixels.

    Returns:
        RGB, uint8 [H, W, 3].

    Examples:
        >>> image = np.zeros((60, 80, 3), np.uint8)
        >>> panel_grid([[Panel(image, 'input'), Panel(image, 'prediction')]], panel_width=160).shape[1]
        350
    """
    bands = [_band([_draw_panel(panel, panel.width or panel_width, text_size) for panel in row], gap) for row in rows]
    width = max(band.shape[1] for band in bands)
    padded = [_grow(band, band.shape[0], width) for band in bands]
    spacer = np.full((gap, width, 3), 255, dtype=np.uint8)
    return np.concatenate([spacer, *(part for band in padded for part in (band, spacer))], axis=0)


def shade_of(colour: Colour, number: int) -> Colour:
    """The colour of a segment of a class, of which so many came before: the class's own, then lighter and darker."""
    return _shade(colour, _SHADES[number % len(_SHADES)])


def _shade(colour: Colour, strength: float) -> Colour:
    """A colour mixed with white, or with black where the strength is negative."""
    target = 255 if strength > 0 else 0
    r, g, b = (round(channel + abs(strength) * (target - channel)) for channel in colour)
    return r, g, b


def _borders(ids: NDArray[np.integer], width: int) -> NDArray[np.bool_]:
    """The pixels [H, W] within some pixels left of or above another id."""
    border = np.zeros(ids.shape, dtype=bool)
    border[:, :-width] |= ids[:, :-width] != ids[:, width:]
    border[:-width] |= ids[:-width] != ids[width:]
    return border


def _draw_panel(panel: Panel, width: int, text_size: int) -> Picture:
    scale = min(width / panel.image.shape[1], MOST_HEIGHT * width / panel.image.shape[0])
    height, inner = (max(1, round(side * scale)) for side in panel.image.shape[:2])
    image = np.asarray(Image.fromarray(panel.image).resize((inner, height), Image.Resampling.BILINEAR))
    image = _grow(image, height, width)
    return np.concatenate([_title(panel.title, width, text_size), image, legend(panel.entries, width, text_size)])


def _title(text: str, width: int, text_size: int) -> Picture:
    pad = text_size // 3
    canvas = Image.new('RGB', (width, text_size + 2 * pad), PAPER)
    font = load_font(text_size, bold=True)
    ImageDraw.Draw(canvas).text((0, text_size / 2 + pad), _shorten(text, font, width), fill=INK, font=font, anchor='lm')
    return np.asarray(canvas)


def _band(panels: Sequence[Picture], gap: int) -> Picture:
    height = max(panel.shape[0] for panel in panels)
    spacer = np.full((height, gap, 3), 255, dtype=np.uint8)
    parts = [part for panel in panels for part in (_grow(panel, height, panel.shape[1]), spacer)]
    return np.concatenate([spacer, *parts], axis=1)


def _grow(picture: Picture, height: int, width: int) -> Picture:
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    canvas[: picture.shape[0], : picture.shape[1]] = picture
    return canvas


def _shorten(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f'{text}…') > width:
        text = text[:-1]
    return f'{text}…'


@lru_cache(maxsize=8)
def load_font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans from matplotlib, which every stack has: PIL's own default cannot be scaled before version 10.1."""
    name = 'DejaVuSans-Bold.ttf' if bold else 'DejaVuSans.ttf'
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / name), size)
