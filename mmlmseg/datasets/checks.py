"""Checks of a loaded sample, each a DataError: is its image what the file holds, do labels fit it and their space?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.image.io import imread_flags
from mmcv.transforms import BaseTransform

from ..errors import DataError, LabelSpaceError, first_of
from ..label_space import LabelSpace
from ..registry import TRANSFORMS
from ..segments import IGNORE_INDEX, WIDE_IGNORE_INDEX, ignore_index_of
from .files import bits_of, check_image_file, check_label_file, exif_orientation, warn_of_turned_image
from .truth import count_values


def check_class_count(space: LabelSpace, wide: bool = True) -> None:
    """Makes sure that the labels of a space fit 16 bits, or (not ``wide``) 8 bits, as mmseg loads them."""
    if space.num_classes > (most := WIDE_IGNORE_INDEX if wide else IGNORE_INDEX):
        raise LabelSpaceError(
            f'label space {space.name!r}: {space.num_classes} classes do not fit {16 if wide else 8}-bit labels (at '
            f'most {most})' + ('' if wide else '; mmlmseg.FolderDataset and those of annotation files read more')
        )


def ignored_by(dataset: Any) -> int | None:
    """The ``ignore_index`` of a dataset of mmseg, an id that stands for no class; None where it is the default, 255."""
    ignore_index = getattr(dataset, 'ignore_index', IGNORE_INDEX)
    return None if ignore_index == IGNORE_INDEX else ignore_index


def check_size(labels: np.ndarray, image_size: Sequence[int]) -> None:
    """Makes sure that a label map is a map of ids [H, W], as large as its image was when loaded."""
    if labels.ndim != 2:
        first = labels[0, 0, :3][::-1].tolist() if labels.ndim == 3 and labels.size else None  # in RGB
        colour = f', such as {tuple(first)}' if first and len(first) == 3 else ''
        raise DataError(
            f'the label map has shape {tuple(labels.shape)}, not (height, width); save one 8-bit class id per pixel '
            f"(mode L or P), not colours{colour} (COCO's panoptic PNG files need mmlmseg.LoadSegments; in a folder, "
            '"colours" of classes.json may name them)'
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
        allowed = f'1..{num_classes}, 0 and {ignore_index_of(num_classes)} = ignore, as reduce_zero_label is set'
    elif ids[0] >= 1 and ids[-1] == num_classes:
        advice = 'ids seem to start at 1: set reduce_zero_label=True in this dataset, or subtract 1 in the files'
    raise DataError(f'label id {first_of(outside)} is outside the label space (allowed: {allowed}); {advice}')


@TRANSFORMS.register_module()
class CheckImage(BaseTransform):
    """Stops at an image file of which the step before it, a ``LoadImageFromFile``, did not give what it holds.

    Args:
        color_type: That of the loading.
        imdecode_backend: Likewise.
    """

    def __init__(self, color_type: str | int = 'color', imdecode_backend: str | None = 'cv2') -> None:
        self.color_type = color_type
        self.imdecode_backend = imdecode_backend
        flags = color_type if isinstance(color_type, int) else imread_flags.get(color_type, cv2.IMREAD_UNCHANGED)
        self.keeps_depth = flags == cv2.IMREAD_UNCHANGED or bool(flags & cv2.IMREAD_ANYDEPTH)
        self.turns = flags != cv2.IMREAD_UNCHANGED and not flags & cv2.IMREAD_IGNORE_ORIENTATION
        if imdecode_backend not in (None, 'cv2', 'pillow'):  # turbojpeg, tifffile
            self.keeps_depth, self.turns = True, False

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Checks the file of ``img``; adds ``exif_orientation`` where the image was turned on loading, and
        ``loaded_as``, its bits and bands, where it has more than 8 bits."""
        if path := results.get('img_path'):
            image: np.ndarray = results['img']
            check_image_file(path, self.keeps_depth and image.dtype != np.uint8)
            if self.keeps_depth and image.dtype != np.uint8 and ('image_format' in results or bits_of(path) > 8):
                results['loaded_as'] = 8 * image.dtype.itemsize, 1 if image.ndim == 2 else image.shape[2]
            if self.turns and (orientation := exif_orientation(path)) != 1:
                results['exif_orientation'] = orientation
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(color_type={self.color_type!r}, imdecode_backend={self.imdecode_backend!r})'


@TRANSFORMS.register_module()
class CheckLabels(BaseTransform):
    """Stops at labels that do not fit. Stands right after the labels are loaded, before crops.

    Args:
        num_classes: K of the label space.
        ignore_index: An id that stands for no class; its pixels become :func:`~mmlmseg.segments.ignore_index_of`. By
            default (None) it is that one.
    """

    def __init__(self, num_classes: int, ignore_index: int | None = None) -> None:
        self.num_classes = num_classes
        self.void = ignore_index_of(num_classes)
        self.ignore_index = self.void if ignore_index is None else ignore_index

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Checks ``gt_seg_map`` against ``ori_shape`` (labels may be loaded after a resize) and the label space."""
        labels = results.get('gt_seg_map')
        if labels is None:
            return results
        size = results.get('ori_shape', labels.shape)
        if labels.ndim < 2 and labels.size == np.prod(size):  # mmseg squeezes away a side of one pixel
            labels = labels.reshape(size)
        if (path := results.get('seg_map_path')) and 'label_values' not in results:
            check_label_file(path)
        check_size(labels, size)
        check_ids(labels, self.num_classes, self.ignore_index, bool(results.get('reduce_zero_label', False)))
        if self.ignore_index != self.void:
            labels = np.where(labels == self.ignore_index, self.void, labels).astype(labels.dtype)
        if 'no_data' in results:  # of a pixel without an image nothing can be said
            labels = np.where(results['no_data'], self.void, labels).astype(labels.dtype)
        if 'exif_orientation' in results:
            warn_of_turned_image(results['img_path'], results['exif_orientation'])
        results['gt_seg_map'] = labels
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_classes={self.num_classes}, ignore_index={self.ignore_index})'
