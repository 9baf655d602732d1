"""Checks of a loaded sample, each a DataError: is the image whole, do its labels fit it and their label space?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from ..errors import DataError, LabelSpaceError
from ..label_space import LabelSpace
from ..registry import TRANSFORMS
from ..segments import IGNORE_INDEX
from .truth import count_values

_FILE_ENDS = {'.jpg': b'\xff\xd9', '.jpeg': b'\xff\xd9', '.png': b'IEND\xaeB`\x82'}


def check_image_file(path: str) -> None:
    """Makes sure that an image file is whole: OpenCV fills what a cut-off file lacks with grey and says nothing.

    Reads the last bytes only; a file with an unusual end is decoded once more, strictly. Files that are not local are
    left to their backend.
    """
    end = _FILE_ENDS.get(os.path.splitext(path)[1].lower())
    if end is None or not os.path.isfile(path):
        return
    with open(path, 'rb') as file:
        file.seek(-min(len(end), file.seek(0, 2)), 2)
        if file.read() == end:
            return
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f'the image is damaged or cut off ({error}); replace the file') from None


def check_class_count(space: LabelSpace) -> None:
    """Makes sure that the labels of a space fit 8 bits, as mmseg loads them."""
    if space.num_classes > IGNORE_INDEX:
        raise LabelSpaceError(
            f'label space {space.name!r}: {space.num_classes} classes do not fit 8-bit labels (at most {IGNORE_INDEX})'
        )


def check_size(labels: np.ndarray, image_size: Sequence[int]) -> None:
    """Makes sure that a label map is a map of ids [H, W], as large as its image was when loaded."""
    if labels.ndim != 2:
        raise DataError(
            f'the label map has shape {tuple(labels.shape)}, not (height, width); save one 8-bit class id per pixel '
            "(mode L or P), not colours (COCO's panoptic PNG files need mmlmseg.LoadSegments)"
        )
    if tuple(labels.shape) != tuple(image_size):
        raise DataError(
            f'image and label differ in size: image {image_size[0]}x{image_size[1]}, label '
            f'{labels.shape[0]}x{labels.shape[1]} (height x width); export both at one size (an EXIF rotation of the '
            'image counts)'
        )


def check_ids(labels: np.ndarray, num_classes: int, ignore_index: int = IGNORE_INDEX, reduced: bool = False) -> None:
    """Makes sure that every label id is one of a class or the ignored one.

    Args:
        labels: Ids [H, W].
        num_classes: K of the label space.
        ignore_index: The id that stands for no class.
        reduced: Whether the ids were lowered by one after reading (``reduce_zero_label``); those of the file are named.
    """
    eight_bits = labels.dtype == np.uint8 and ignore_index == IGNORE_INDEX
    if eight_bits and not cv2.countNonZero(cv2.inRange(labels, num_classes, IGNORE_INDEX - 1)):  # type: ignore[call-overload]
        return  # as nearly always; in 0.04 ms, where listing the ids takes 0.1
    ids, _ = count_values(labels)
    ids = ids[ids != ignore_index]
    outside = ids[(ids < 0) | (ids >= num_classes)]
    if not len(outside):
        return
    advice = 'correct the labels or the class list'
    allowed = f'0..{num_classes - 1} and {ignore_index} = ignore'
    if reduced:
        outside = outside.astype(np.int64) + 1
        allowed = f'1..{num_classes}, 0 and 255 = ignore, as reduce_zero_label is set'
    elif ids[0] >= 1 and ids[-1] == num_classes:
        advice = 'ids seem to start at 1: set reduce_zero_label=True in this dataset, or subtract 1 in the files'
    raise DataError(
        f'label id {", ".join(map(str, outside[:5]))}{", ..." if len(outside) > 5 else ""} is outside the label space '
        f'(allowed: {allowed}); {advice}'
    )


def check_depth(path: str) -> None:
    """Makes sure that a 16-bit PNG of labels holds 8-bit ids: mmseg cuts the upper byte off, and 300 becomes 44."""
    if os.path.splitext(path)[1].lower() != '.png' or not os.path.isfile(path):
        return
    with open(path, 'rb') as file:
        header = file.read(25)
    if len(header) < 25 or header[24] != 16:  # the bit depth stands at byte 24 of every PNG
        return
    largest = int(np.asarray(Image.open(path)).max())
    if largest > 255:
        raise DataError(f'label id {largest} in a 16-bit label map; ids must fit 8 bits: 0..254 and 255 = ignore')


@TRANSFORMS.register_module()
class CheckLabels(BaseTransform):
    """Stops at a damaged image and at labels that do not fit. Stands right after the labels are loaded, before crops.

    Args:
        num_classes: K of the label space.
        ignore_index: The id that stands for no class.
    """

    def __init__(self, num_classes: int, ignore_index: int = IGNORE_INDEX) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Checks ``gt_seg_map`` against ``ori_shape`` (labels may be loaded after a resize) and the label space."""
        if results.get('img_path'):
            check_image_file(results['img_path'])
        labels = results.get('gt_seg_map')
        if labels is not None:
            check_size(labels, results.get('ori_shape', labels.shape))
            if results.get('seg_map_path'):
                check_depth(results['seg_map_path'])
            reduced = bool(results.get('reduce_zero_label', False))
            check_ids(labels, self.num_classes, self.ignore_index, reduced)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_classes={self.num_classes}, ignore_index={self.ignore_index})'
