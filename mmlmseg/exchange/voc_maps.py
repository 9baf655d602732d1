"""The values of Pascal VOC's PNG files, maps of classes and of objects: ids, or colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import DataError, errors_of
from ..label_space import LabelSpace
from ..palette import Colour
from ..segments import ignore_index_of

_VOID, _VOID_COLOUR = 255, (224, 224, 192)
_IDS = ('P', 'L', '1')  # Pillow's modes of files whose values are ids


def _read_picture(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f'{path}: cannot be read as an image ({error}); replace the file') from None
    return image


def read_labels(path: Path, space: LabelSpace, colours: Sequence[Colour] | None) -> NDArray[np.integer]:
    """The class ids of a label map, [H, W]; where nobody annotated, as folders write it."""
    image, void = _read_picture(path), ignore_index_of(space.num_classes)
    with errors_of(path):
        if colours is not None and image.mode in ('P', 'RGB', 'RGBA'):
            codes = _codes(np.asarray(image.convert('RGB')))
            values, inverse = np.unique(codes, return_inverse=True)
            known = {_code(_VOID_COLOUR): void} | {_code(colour): label for label, colour in enumerate(colours)}
            if strange := [value for value in values.tolist() if value not in known]:
                red, green, blue = strange[0] >> 16, strange[0] >> 8 & 255, strange[0] & 255
                raise DataError(f'the colour {red},{green},{blue} is that of no class in labelmap.txt; add it there')
            table = np.array([known[value] for value in values.tolist()])
            labels = table[inverse].reshape(codes.shape)
        elif image.mode in _IDS:
            labels = np.asarray(image).astype(np.int64)
            labels[labels == _VOID] = void
        else:
            raise DataError(f'is a picture of mode {image.mode}; colours need labelmap.txt, which says what they mean')
        used = np.unique(labels)
        if strange := [value for value in used.tolist() if value >= space.num_classes and value != void]:
            raise DataError(
                f'the id {strange[0]} is of none of the {space.num_classes} classes (0 to {space.num_classes - 1}, 255 '
                'is not annotated); names other than those of Pascal VOC stand in labelmap.txt or class_names.txt'
            )
    return labels.astype(np.uint8 if void == _VOID else np.uint16)


def read_objects(
    path: Path, labels: NDArray[np.integer], space: LabelSpace
) -> tuple[NDArray[np.uint16], list[int], list[int]]:
    """The objects of an image; each is of the class that most of its pixels have, and has no other pixel.

    Returns:
        A map of objects from 1 on, 0 in none, [H, W]; the class of each; and the numbers of those that lost pixels.
    """
    image = _read_picture(path)
    if image.mode in ('RGB', 'RGBA'):
        codes = _codes(np.asarray(image.convert('RGB')))
        codes[codes == _code(_VOID_COLOUR)] = 0
    elif image.mode in _IDS:
        codes = np.asarray(image).astype(np.int64)
        codes[codes == _VOID] = 0
    else:
        raise DataError(f'{path}: is a picture of mode {image.mode}; a map of objects is one of a palette or RGB')
    if codes.shape != labels.shape:
        raise DataError(f'{path}: is of another size than its label map; write both from one image')
    codes[labels >= space.num_classes] = 0
    numbers = np.zeros(codes.shape, dtype=np.uint16)
    classes: list[int] = []
    mixed: list[int] = []
    for number, code in enumerate(np.unique(codes[codes > 0]).tolist(), 1):
        mask = codes == code
        counts = np.bincount(labels[mask])
        classes.append(int(counts.argmax()))
        if np.count_nonzero(counts) > 1:
            mixed.append(number)
        numbers[mask & (labels == classes[-1])] = number
    return numbers, classes, mixed


def _codes(colours: NDArray[np.uint8]) -> NDArray[np.int64]:
    """One number for each colour, [H, W, 3] -> [H, W]."""
    return colours.astype(np.int64) @ np.array([65536, 256, 1])


def _code(colour: Colour) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]
