"""Masks as a result: panoptic, instances, or several label spaces at once, where they may overlap."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmseg.structures import SegDataSample
from numpy.typing import NDArray
from PIL import Image as PILImage
from pycocotools import mask as coco_mask

from ..label_space import LabelSpace
from ..visualization.drawing import Panel, panel_grid
from ..visualization.label_panel import paint, segment_panel
from .inputs import Image

VOID = 255


@dataclass(frozen=True)
class Mask:
    """One segment of an image.

    Attributes:
        pixels: bool [H, W].
        origins: What says it, each as the name of a label space and the index of a class in it; its own first.
        score: In [0, 1].
    """

    pixels: NDArray[np.bool_]
    origins: tuple[tuple[str, int], ...]
    score: float


@dataclass(frozen=True)
class MaskSegmentation:
    """The masks found in one image.

    Attributes:
        path: File of the image; None for an array.
        size: (H, W) of the image.
        spaces: The label spaces that were asked.
        masks: The segments; those of several label spaces, and instances, may overlap.
    """

    path: Path | None
    size: tuple[int, int]
    spaces: tuple[LabelSpace, ...]
    masks: tuple[Mask, ...]

    def names_of(self, mask: Mask) -> list[str]:
        """The classes of a mask: ``pedestrian``, or ``camvid11:pedestrian`` where several spaces were asked."""
        by_name = {space.name: space for space in self.spaces}
        one = len(self.spaces) == 1
        return [by_name[s].classes[c] if one else f'{s}:{by_name[s].classes[c]}' for s, c in mask.origins]

    def shares(self) -> list[tuple[str, float]]:
        """Names of the classes found and the share of the image that their masks cover, largest first."""
        covered: dict[str, NDArray[np.bool_]] = {}
        for mask in self.masks:
            name = ' = '.join(self.names_of(mask))
            covered[name] = covered[name] | mask.pixels if name in covered else mask.pixels
        shares = [(name, float(pixels.mean())) for name, pixels in covered.items()]
        return sorted(shares, key=lambda share: share[1], reverse=True)

    def segment_map(self, space: LabelSpace) -> tuple[NDArray[np.int32], list[int]]:
        """The masks of one space as a map of segments from 1 (0 is void), and their classes. Where masks overlap the
        better one is on top."""
        own = [(mask, c) for mask in self.masks for s, c in mask.origins if s == space.name]
        own.sort(key=lambda pair: pair[0].score)
        return paint((mask.pixels for mask, _ in own), self.size), [c for _, c in own]

    def to_coco(self) -> list[dict[str, Any]]:
        """The masks as COCO writes results: run lengths, ``category`` (a list of names), ``score``, ``area``."""
        described = []
        for mask in self.masks:
            runs = coco_mask.encode(np.asfortranarray(mask.pixels.astype(np.uint8)))
            described.append(
                dict(
                    category=self.names_of(mask),
                    score=round(mask.score, 5),
                    area=int(mask.pixels.sum()),
                    segmentation=dict(size=list(self.size), counts=runs['counts'].decode()),
                )
            )
        return described

    def draw(self, image: Image, alpha: float = 0.6) -> Image:
        """Draw the image beside one overlay for each label space, with legends.

        Args:
            image: BGR, uint8 [H, W, 3], as it was segmented.
            alpha: Strength of the colours.

        Returns:
            RGB, uint8 [h, w, 3].
        """
        rgb = np.ascontiguousarray(image[..., ::-1])
        panels = [Panel(rgb, self.path.name if self.path else 'image')]
        for space in self.spaces:
            ids, labels = self.segment_map(space)
            panels.append(segment_panel(space.name, rgb, ids, labels, space.classes, space.palette, alpha))
        return panel_grid([panels], panel_width=int(np.clip(rgb.shape[1], 320, 640)))

    def write(self, folder: Path, stem: str) -> None:
        """Write ``<stem>.json``, the masks as run lengths, and for each label space ``<stem>_<space>.png``, class ids
        with 255 for void (16 bits and 65535 where a space has more than 255 classes)."""
        (folder / f'{stem}.json').write_text(json.dumps(self.to_coco()), encoding='utf-8')
        for space in self.spaces:
            ids, labels = self.segment_map(space)
            wide = space.num_classes > VOID
            layer = np.array([65535 if wide else VOID, *labels], np.uint16 if wide else np.uint8)[ids]
            picture = PILImage.fromarray(layer)
            if not wide:
                colours = [channel for colour in space.palette for channel in colour]
                picture.putpalette(colours + [0] * (768 - len(colours)))  # with fewer, PIL writes ids of fewer bits
            picture.save(folder / f'{stem}_{space.name}.png')


def masks_of(sample: SegDataSample, spaces: Sequence[LabelSpace]) -> tuple[Mask, ...]:
    """Reads the masks out of a segmented sample: ``pred_masks``, ``pred_instances`` or ``pred_panoptic_seg``."""
    places = [(space.name, c) for space in spaces for c in range(space.num_classes)]
    if 'pred_masks' in sample or 'pred_instances' in sample:
        found = sample.get('pred_masks' if 'pred_masks' in sample else 'pred_instances')
        masks = found.masks.cpu().numpy()
        origins = found.get('origins', [(label,) for label in found.labels.tolist()])
        scores = found.scores.tolist()
    else:
        segments = sample.pred_panoptic_seg
        ids = segments.data[0].cpu().numpy()
        masks = [ids == i for i in range(1, len(segments.labels) + 1)]
        origins, scores = [(label,) for label in segments.labels], segments.scores
    return tuple(
        Mask(pixels, tuple(places[c] for c in own), float(score))
        for pixels, own, score in zip(masks, origins, scores, strict=True)
    )
