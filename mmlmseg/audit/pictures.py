"""A picture of each class: where it stands out most in the first images of its dataset."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from ..doctor.building import Source
from ..doctor.reading import read_sample
from ..visualization.drawing import Picture, as_picture

SIZE = 150
IMAGES = 150
"""So many images of a label space are looked at."""
FULL = 0.5
"""The share of the image at which a class is shown best: more of it leaves nothing around."""


def class_pictures(sources: Sequence[Source]) -> dict[str, str]:
    """JPEGs as addresses by ``SPACE:CLASS``: the image around the class, the rest paled; without those never met."""
    best: dict[str, tuple[float, bytes]] = {}
    looked: dict[str, int] = {}
    for source in sources:
        for sample, place in source.samples:
            names = [space.name for space in source.spaces]
            if all(looked.get(name, 0) >= IMAGES for name in names):
                break
            _, pixels = read_sample(sample, place, source.spaces)
            if pixels.image is None:
                continue
            for space, labels in zip(source.spaces, pixels.labels, strict=True):
                looked[space.name] = looked.get(space.name, 0) + 1
                if labels is None or labels.shape != pixels.image.shape[:2]:
                    continue
                counts = np.bincount(labels.ravel(), minlength=space.num_classes)[: space.num_classes]
                for label in np.flatnonzero(counts):
                    score = min(counts[label] / labels.size, FULL)
                    key = f'{space.name}:{space.classes[label]}'
                    if score > best.get(key, (0.0, b''))[0]:
                        best[key] = score, _picture(pixels.image, labels == label)
    return {key: f'data:image/jpeg;base64,{base64.b64encode(data).decode()}' for key, (_, data) in best.items()}


def _picture(image: np.ndarray, mask: np.ndarray) -> bytes:
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    centre = (rows[0] + rows[-1]) // 2, (columns[0] + columns[-1]) // 2
    side = int(min(max(rows[-1] - rows[0], columns[-1] - columns[0]) * 1.3 + 16, *mask.shape))
    top, left = (int(np.clip(c - side // 2, 0, s - side)) for c, s in zip(centre, mask.shape))
    window = slice(top, top + side), slice(left, left + side)
    size = (SIZE, SIZE)
    small = cv2.resize(as_picture(image[window]), size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(mask[window].astype(np.uint8), size, interpolation=cv2.INTER_AREA).astype(bool)
    shown: Picture = np.where(inside[..., None], small, 200 + (small // 6)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(shown).save(file, 'JPEG', quality=75)
    return file.getvalue()
