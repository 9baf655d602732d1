"""What inference returns, and how it is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from ..palette import Colour
from ..visualization.drawing import Panel, class_shares, legend_entries, overlay, panel_grid
from .inputs import Image
from .masks import MaskSegmentation


@dataclass(frozen=True)
class Segmentation:
    """The prediction for one image.

    Attributes:
        path: File of the image; None for an array.
        label_map: Index into ``classes`` of each pixel, [H, W]; uint8, or int32 with more than 256 classes.
        label_space: Name of the label space; ``'custom'`` for a free class list.
        classes: Name of each class.
        palette: RGB colour of each class.
    """

    path: Path | None
    label_map: NDArray[np.integer]
    label_space: str
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]

    def shares(self) -> list[tuple[str, float]]:
        """Names of the classes found and their share of the pixels, largest first."""
        return [(self.classes[index], share) for index, share in class_shares(self.label_map, len(self.classes))]

    def draw(self, image: Image, alpha: float = 0.6) -> Image:
        """Draw the image beside its overlay with a legend.

        Args:
            image: BGR, uint8 [H, W, 3], as it was segmented.
            alpha: Strength of the colours.

        Returns:
            RGB, uint8 [h, w, 3].
        """
        rgb = np.ascontiguousarray(image[..., ::-1])
        entries = legend_entries(self.label_map, self.classes, self.palette)
        drawn = Panel(overlay(rgb, self.label_map, self.palette, alpha), self.label_space, entries)
        title = self.path.name if self.path else 'image'
        return panel_grid([[Panel(rgb, title), drawn]], panel_width=int(np.clip(rgb.shape[1], 320, 640)))

    def write(self, folder: Path, stem: str) -> None:
        """Write ``<stem>.png``, the label map: a PNG with a palette (pixel values are the ids, viewers show the
        colours), or one of 16 bits with more than 256 classes."""
        if len(self.classes) <= 256:
            label_map = PILImage.fromarray(self.label_map.astype(np.uint8))
            label_map.putpalette([channel for colour in self.palette for channel in colour])
        else:
            label_map = PILImage.fromarray(self.label_map.astype(np.uint16))
        label_map.save(folder / f'{stem}.png')


def file_stems(paths: Sequence[Path | None]) -> list[str]:
    """Names for output files: the stems of the inputs, numbered where two would be the same.

    Examples:
        >>> file_stems([Path('a/x.png'), Path('b/x.jpg'), None])
        ['x', 'x_1', 'image_2']
    """
    stems: list[str] = []
    taken: set[str] = set()
    for index, path in enumerate(paths):
        stem = path.stem if path else f'image_{index}'
        stem = f'{stem}_{index}' if stem in taken else stem
        taken.add(stem)
        stems.append(stem)
    return stems


def save(result: Segmentation | MaskSegmentation, image: Image, out_dir: Path, stem: str) -> None:
    """Write the prediction to ``pred/`` and the picture with the legend to ``vis/<stem>.png``.

    Args:
        result: The prediction.
        image: BGR, uint8 [H, W, 3].
        out_dir: Folder to write to.
        stem: File name without suffix.
    """
    for folder in ('pred', 'vis'):
        (out_dir / folder).mkdir(parents=True, exist_ok=True)
    result.write(out_dir / 'pred', stem)
    PILImage.fromarray(result.draw(image)).save(out_dir / 'vis' / f'{stem}.png')
