"""COCO's panoptic PNG: a map of segments as a file, whose colours are the ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from .errors import DataError, errors_of

MAX_ID = 256**3 - 1
"""The largest segment id that a panoptic PNG holds."""

_EIGHT_BIT_RGB = (8, 2)  # bit depth and colour type, bytes 24 and 25 of a PNG
_COLOUR_TYPES = {0: 'grey', 2: 'RGB', 3: 'palette', 4: 'grey with alpha', 6: 'RGBA'}


def id_to_rgb(ids: np.ndarray) -> np.ndarray:
    """Turns segment ids, integers in 0..:data:`MAX_ID` of any shape, into colours, uint8 [..., 3].

    Example:
        >>> id_to_rgb(np.array([1, 65536 + 512 + 3])).tolist()
        [[1, 0, 0], [3, 2, 1]]
    """
    if ids.size and not 0 <= ids.min() <= ids.max() <= MAX_ID:
        outside = ids.min() if ids.min() < 0 else ids.max()
        raise DataError(f'segment id {outside} is outside 0..{MAX_ID}, what a panoptic PNG can hold')
    little_endian = ids.astype('<u4', order='C')[..., None]
    return little_endian.view(np.uint8)[..., :3]


def rgb_to_id(colours: np.ndarray) -> np.ndarray:
    """The inverse of :func:`id_to_rgb`: colours, uint8 [..., 3], become segment ids, int32 [...].

    Example:
        >>> rgb_to_id(np.array([3, 2, 1], dtype=np.uint8)).item() == 3 + 2 * 256 + 65536
        True
    """
    if colours.dtype != np.uint8 or colours.shape[-1:] != (3,):
        raise DataError(f'colours must be uint8 [..., 3]; got {colours.dtype} {list(colours.shape)}')
    red, green, blue = np.moveaxis(colours, -1, 0).astype(np.int32)
    return red | green << 8 | blue << 16


def read_panoptic_png(path: str | Path) -> np.ndarray:
    """Reads the segment ids of an image, int32 [H, W], where 0 is void.

    Raises:
        DataError: Where the file is missing, damaged or no 8-bit RGB PNG; it is named.
    """
    try:
        with open(path, 'rb') as file:
            header = file.read(26)
        if header[:4] != b'\x89PNG' or len(header) < 26:
            raise DataError(f'{path}: is no PNG; a panoptic map is a PNG of colours, id = R + 256 G + 65536 B')
        depth, colour_type = header[24:]
        if (depth, colour_type) != _EIGHT_BIT_RGB:
            raise DataError(
                f'{path}: is {_COLOUR_TYPES.get(colour_type, colour_type)} with {depth} bits a channel; a panoptic map '
                'is RGB with 8 bits (id = R + 256 G + 65536 B), not a map of class ids'
            )
        with Image.open(path) as image:
            return rgb_to_id(np.asarray(image))
    except FileNotFoundError:
        raise DataError(f'{path}: no such file; restore it or take the image off the list') from None
    except (OSError, SyntaxError) as error:  # Pillow's errors on damaged files
        raise DataError(f'{path}: cannot be read ({error}); replace the file') from None


def write_panoptic_png(path: str | Path, ids: np.ndarray) -> None:
    """Writes segment ids, integers [H, W] where 0 is void, as an RGB PNG."""
    with errors_of(path):
        colours = id_to_rgb(ids)
    Image.fromarray(colours).save(path)
