"""What inference returns, and how it is saved and drawn: a class for each pixel, or masks, which may overlap."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmseg.structures import SegDataSample
from numpy.typing import NDArray
from PIL import Image as PILImage

from ..label_space import LabelSpace, joint_classes
from ..palette import Colour
from ..run_lengths import Edges, RunLengths, area, union
from ..segments import IGNORE_INDEX, EncodedMaskSet, class_map, ignore_index_of
from ..visualization.drawing import Panel, Picture, class_shares, panel_grid
from ..visualization.label_panel import class_panel, confident, segment_panel
from .inputs import Image


@dataclass(frozen=True)
class Result(ABC):
    """What was found in one image."""

    path: Path | None  # file of the image; None for an array
    spaces: tuple[LabelSpace, ...]  # those that were asked; a free class list is one named custom

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of all spaces, one space after the other: ``car``, or ``street:car`` where there are several."""
        return joint_classes(self.spaces)

    @abstractmethod
    def shares(self) -> list[tuple[str, float]]:
        """The names of the classes found and the share of the image that each covers, largest first."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """(H, W) of the image."""

    @abstractmethod
    def objects(self) -> Iterator[tuple[int, dict[str, Any], float | None]]:
        """Class (a place in ``classes``), run-length code as COCO writes it, and score of what is found, one by one."""

    @abstractmethod
    def write(self, folder: Path, stem: str) -> None:
        """Writes what was found into a folder, to files whose names begin with ``stem``."""

    @abstractmethod
    def _panels(self, rgb: Picture, alpha: float) -> list[Panel]:
        """An overlay for each label space."""

    def draw(self, image: Image, alpha: float = 0.6) -> Picture:
        """Draws the image (BGR, uint8 [H, W, 3], as it was segmented) beside an overlay with a legend for each label
        space, in colours of a strength between 0 and 1: RGB, uint8 [h, w, 3]."""
        rgb = np.ascontiguousarray(image[..., ::-1])
        whole = Panel(rgb, self.path.name if self.path else 'image')
        return panel_grid([[whole, *self._panels(rgb, alpha)]], panel_width=int(np.clip(rgb.shape[1], 320, 640)))

    def save(self, image: Image, out_dir: Path, stem: str) -> None:
        """Writes what was found to ``pred/`` of a folder, and the picture to ``vis/<stem>.png``; see :meth:`draw`."""
        for folder in ('pred', 'vis'):
            (out_dir / folder).mkdir(parents=True, exist_ok=True)
        self.write(out_dir / 'pred', stem)
        PILImage.fromarray(self.draw(image)).save(out_dir / 'vis' / f'{stem}.png')


@dataclass(frozen=True)
class Segmentation(Result):
    """The class of each pixel of an image, in one label space."""

    label_map: NDArray[np.integer]  # [H, W], index into ``classes``; uint8, or int32 with more than 256 classes

    def shares(self) -> list[tuple[str, float]]:
        classes = self.classes
        return [(classes[index], share) for index, share in class_shares(self.label_map, len(classes))]

    @property
    def size(self) -> tuple[int, int]:
        return self.label_map.shape[0], self.label_map.shape[1]

    def objects(self) -> Iterator[tuple[int, dict[str, Any], float | None]]:
        """All pixels of a class are one object, without a score."""
        found = np.unique(self.label_map)
        numbered = np.searchsorted(found, self.label_map) + 1
        runs = RunLengths.of_map(torch.from_numpy(numbered), len(found))
        return ((label, code, None) for label, code in zip(found.tolist(), runs.to_coco(), strict=True))

    def write(self, folder: Path, stem: str) -> None:
        """Writes ``<stem>.png``, the label map (16 bits with more than 256 classes)."""
        ids = self.label_map.astype(np.uint8 if len(self.classes) <= 256 else np.uint16)
        _write_ids(folder / f'{stem}.png', ids, self.spaces[0].palette)

    def _panels(self, rgb: Picture, alpha: float) -> list[Panel]:
        return [class_panel(self.spaces[0].name, rgb, self.label_map, self.spaces[0], alpha)]


@dataclass(frozen=True)
class Mask:
    """One segment of an image."""

    runs: RunLengths  # of this segment alone
    names: tuple[str, ...]  # the classes that say it, its own first, as Result.classes writes them
    score: float  # in [0, 1]

    @property
    def pixels(self) -> NDArray[np.bool_]:
        """[H, W], made as often as somebody asks."""
        return self.runs.to_masks()[0].numpy()


@dataclass(frozen=True)
class MaskSegmentation(Result):
    """The masks found in an image; those of several label spaces, and instances, may overlap."""

    found: EncodedMaskSet

    @property
    def masks(self) -> tuple[Mask, ...]:
        """The segments one by one."""
        found, classes = self.found, self.classes
        origins = found.origins or [(label,) for label in found.labels.tolist()]
        described = enumerate(zip(origins, found.scores.tolist(), strict=True))
        return tuple(Mask(found.runs.take([i]), tuple(classes[c] for c in own), score) for i, (own, score) in described)

    def shares(self) -> list[tuple[str, float]]:
        parts: dict[str, list[Edges]] = {}
        for mask in self.masks:
            parts.setdefault(' = '.join(mask.names), []).extend(mask.runs.edges)
        pixels = math.prod(self.found.size)
        shares = [(name, area(union(own)) / pixels) for name, own in parts.items()]
        return sorted(shares, key=lambda share: share[1], reverse=True)

    @property
    def size(self) -> tuple[int, int]:
        return self.found.size

    def objects(self) -> Iterator[tuple[int, dict[str, Any], float | None]]:
        """A mask that several classes say comes once for each."""
        origins = self.found.origins or [(label,) for label in self.found.labels.tolist()]
        described = zip(origins, self.found.runs.to_coco(), self.found.scores.tolist(), strict=True)
        return ((label, code, score) for own, code, score in described for label in own)

    def layer(self, which: int) -> tuple[NDArray[np.int32], list[int]]:
        """The masks of one of the label spaces as :meth:`MaskSet.layer` gives them, [H, W], and their classes."""
        ids, labels = self.found.layer(self.spaces, which)
        return ids.numpy(), labels

    def to_coco(self) -> list[dict[str, Any]]:
        """The masks as COCO writes results: run lengths, ``category`` (a list of names), ``score``, ``area``."""
        described = zip(self.masks, self.found.runs.areas().tolist(), self.found.runs.to_coco(), strict=True)
        return [
            dict(category=list(mask.names), score=round(mask.score, 5), area=pixels, segmentation=runs)
            for mask, pixels, runs in described
        ]

    def write(self, folder: Path, stem: str) -> None:
        """Writes ``<stem>.json``, the masks as run lengths, and for each label space ``<stem>_<space>.png``, class ids
        with 255 for void (16 bits and 65535 where a space has more than 255 classes)."""
        (folder / f'{stem}.json').write_text(json.dumps(self.to_coco()), encoding='utf-8')
        for which, space in enumerate(self.spaces):
            void = ignore_index_of(space.num_classes)
            ids = class_map(*self.layer(which), void=void)
            padding = [(0, 0, 0)] * (256 - space.num_classes)  # with fewer colours, PIL writes ids of fewer bits
            path = folder / f'{stem}_{space.name}.png'
            _write_ids(path, ids.astype(np.uint8 if void == IGNORE_INDEX else np.uint16), [*space.palette, *padding])

    def _panels(self, rgb: Picture, alpha: float) -> list[Panel]:
        return [
            segment_panel(space.name, rgb, *self.layer(which), space, alpha) for which, space in enumerate(self.spaces)
        ]


def result_of(
    path: Path | None, sample: SegDataSample, spaces: tuple[LabelSpace, ...], min_score: float = 0.0
) -> Segmentation | MaskSegmentation:
    """Reads what a segmentor made of an image, ``pred_sem_seg``, ``pred_segments`` or (from a score on)
    ``pred_instances``; ``path`` and ``spaces`` as of :class:`Result`."""
    if 'pred_sem_seg' in sample:
        label_map = sample.pred_sem_seg.data.squeeze(0).cpu().numpy()
        return Segmentation(path, spaces, label_map.astype(np.uint8 if spaces[0].num_classes <= 256 else np.int32))
    if 'pred_instances' in sample:
        return MaskSegmentation(path, spaces, confident(sample.pred_instances, min_score))
    return MaskSegmentation(path, spaces, sample.pred_segments.encoded())


def _write_ids(path: Path, ids: NDArray[Any], palette: Sequence[Colour]) -> None:
    """Writes class ids as a PNG, of 8 bits with a palette: pixel values are the ids, viewers show the colours."""
    picture = PILImage.fromarray(ids)
    if ids.dtype == np.uint8:
        picture.putpalette([channel for colour in palette for channel in colour])
    picture.save(path)


class Stems:
    """Names for output files: the stems of the inputs (``x``), numbered (``x_1``) where two would be the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._number = 0

    def next(self, path: Path | None) -> str:
        """The name for the next input; None is an array."""
        stem = path.stem if path else f'image_{self._number}'
        while stem in self._taken:
            stem = f'{stem}_{self._number}'
        self._taken.add(stem)
        self._number += 1
        return stem
