"""From what a user names to images."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Image = NDArray[np.uint8]
Source = Path | Image
Inputs = str | Path | Image | Sequence[str | Path | Image]

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')


def expand_inputs(inputs: Inputs) -> list[Source]:
    """List the images that a user means.

    Args:
        inputs: The path of an image, of a folder (all images directly in it) or a glob; an array; or a list of these.

    Returns:
        Paths and arrays in the order given; folders and globs sorted by name.

    Raises:
        DataError: A path that leads to no image.
    """
    if isinstance(inputs, np.ndarray):
        return [inputs]
    if isinstance(inputs, (str, Path)):
        return list(_expand_path(inputs))
    sources = [source for entry in inputs for source in expand_inputs(entry)]
    if not sources:
        raise DataError('There is no image to segment: the list of inputs is empty.')
    return sources


def _expand_path(path: str | Path) -> list[Path]:
    target = Path(path).expanduser()
    if target.is_dir():
        found = sorted(child for child in target.iterdir() if child.suffix.lower() in IMAGE_SUFFIXES)
        if not found:
            raise DataError(f'{path}: the folder holds no image ({", ".join(IMAGE_SUFFIXES)}).')
        return found
    if target.exists():
        return [target]
    found = sorted(Path(match) for match in glob.glob(str(target), recursive=True) if not Path(match).is_dir())
    if not found:
        raise DataError(f'{path}: no such image or folder, and as a glob it matches nothing.')
    return found


def read_image(source: Source) -> Image:
    """Load an image.

    Args:
        source: A path, or an array [H, W, 3] in BGR (OpenCV's order, as mmcv loads images) or [H, W] in grey.

    Returns:
        BGR, uint8 [H, W, 3].

    Raises:
        DataError: Not an image; names the file or the shape.
    """
    if isinstance(source, np.ndarray):
        return _check_array(source)
    try:
        image = mmcv.imread(str(source), backend='cv2')
    except OSError as error:
        raise DataError(f'{source}: cannot be read ({error}).') from error
    except cv2.error:  # an empty file
        image = None
    if image is None:
        raise DataError(f'{source}: is not an image that OpenCV can read, or is damaged. Replace or remove the file.')
    return np.asarray(image)


def _check_array(array: NDArray) -> Image:
    if array.dtype != np.uint8:
        raise DataError(f'An image array must be uint8 with values 0..255, not {array.dtype}.')
    if array.ndim == 2:
        return np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise DataError(f'An image array must be [H, W, 3] (BGR) or [H, W] (grey), not {list(array.shape)}.')
    return array
