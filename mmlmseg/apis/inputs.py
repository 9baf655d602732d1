"""From what a user names to images, and from these to what the model takes."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
from mmcv.transforms import Compose
from mmengine.registry import TRANSFORMS, DefaultScope
from numpy.typing import NDArray

from ..config import inference_steps
from ..datasets.folder import IMAGE_SUFFIXES
from ..errors import DataError

Image = NDArray[np.uint8]
Source = Path | Image
Inputs = str | Path | Image | Sequence[str | Path | Image]


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
            kinds = ', '.join(IMAGE_SUFFIXES)
            raise DataError(f'{path}: the folder holds no image ({kinds}); for those in folders below, give a glob.')
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
        if source.dtype != np.uint8:
            raise DataError(f'An image array must be uint8 with values 0..255, not {source.dtype}.')
        if source.ndim == 2:
            return np.repeat(source[..., None], 3, axis=2)
        if source.ndim != 3 or source.shape[2] != 3 or source.size == 0:
            raise DataError(f'An image array must be [H, W, 3] (BGR) or [H, W] (grey), not {list(source.shape)}.')
        return source
    try:
        image = mmcv.imread(str(source), backend='cv2')
    except OSError as error:
        raise DataError(f'{source}: cannot be read ({error}).') from error
    except cv2.error:  # an empty file
        image = None
    if image is None:
        raise DataError(f'{source}: is not an image that OpenCV can read, or is damaged. Replace or remove the file.')
    return np.asarray(image)


def inference_pipeline(config: Mapping[str, Any], space: str | None) -> Compose:
    """Builds the test transforms of a config, without those that load files or annotations.

    Args:
        config: A whole config.
        space: Name of the label space that is asked for; None for a free class list.

    Returns:
        The transforms of :func:`mmlmseg.config.inference_steps`, as `tools/test.py` uses them.
    """
    steps = inference_steps(config, space)
    with DefaultScope.overwrite_default_scope('mmseg'):
        # The type is a name, perhaps with a scope, or a class.
        return Compose([TRANSFORMS.build(s) for s in steps if not str(s['type']).rsplit('.', 1)[-1].startswith('Load')])


def prepare(pipeline: Compose, source: Source, image: Image) -> dict[str, Any]:
    """Runs the transforms on an image, BGR, uint8 [H, W, 3], to ``inputs`` [3, h, w] and ``data_samples``."""
    name, size = str(source) if isinstance(source, Path) else 'an array', image.shape[:2]
    return pipeline(dict(img=image, img_path=name, img_shape=size, ori_shape=size))
