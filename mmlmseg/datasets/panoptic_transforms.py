"""Loading and packing the panoptic truth of a sample, beside its labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.datasets.transforms import LoadAnnotations, PackSegInputs
from PIL import Image

from ..errors import DataError, errors_of
from ..registry import TRANSFORMS
from ..segments import read_panoptic_png
from .checks import IGNORE_INDEX, CheckLabels
from .segments import Segments, check_aligned, follow_padding, segments_of_ids, segments_of_labels


def read_instances(path: str) -> np.ndarray:
    """Reads a map of segment ids, one 8-bit or 16-bit number per pixel.

    Returns:
        Int32 [H, W]; 0 is void.

    Raises:
        DataError: Where the file is missing, damaged or of another kind; it is named.
    """
    try:
        with Image.open(path) as image:
            ids, mode = np.asarray(image), image.mode
    except FileNotFoundError:
        raise DataError(f'{path}: no such file; restore it or take the sample off the list') from None
    except (OSError, SyntaxError) as error:
        raise DataError(f'{path}: cannot be read ({error}); replace the file') from None
    if ids.ndim != 2 or ids.dtype.kind not in 'iu':
        raise DataError(f'{path}: has mode {mode}; save one 8-bit or 16-bit segment id per pixel, 0 = void')
    return ids.astype(np.int32)


@TRANSFORMS.register_module()
class LoadPanopticAnnotations(LoadAnnotations):
    """Reads labels and segments of a sample of ``mmlmseg.PanopticDataset`` or ``mmlmseg.FolderDataset``.

    Adds ``gt_seg_map``, uint8 [H, W] (255 = void), ``gt_panoptic_map``, int32 [H, W] (the segment, 0 = void), both to
    ``seg_fields``, so that geometric transforms carry them along, and ``gt_segment_labels`` and ``gt_segment_crowd``
    (class and crowd flag of segment 1, 2, ...).

    A folder sample has labels, and ids of instances in ``instances/NAME.png``. A stuff class is one segment. Pixels of
    a thing outside every instance are void in the panoptic truth and keep their label.
    """

    def _load_seg_map(self, results: dict[str, Any]) -> None:
        space = results.get('space')
        if space is None:
            raise DataError(
                'the sample does not say which classes are things: LoadPanopticAnnotations reads those of '
                'mmlmseg.PanopticDataset and mmlmseg.FolderDataset; for others take LoadAnnotations'
            )
        check = CheckLabels(space.num_classes)  # before segments are looked for: they need sound labels
        if 'segments' in results:
            file = results['seg_map_path']
            ids = read_panoptic_png(file)
            with errors_of(file):
                results['gt_seg_map'], segments = segments_of_ids(ids, results['segments'], space)
            results['seg_fields'].append('gt_seg_map')
            check(results)
        else:
            super()._load_seg_map(results)
            check(results)
            file = results.get('panoptic_path')
            instances = None if file is None else read_instances(file)
            with errors_of(file or results['seg_map_path']):
                segments = segments_of_labels(results['gt_seg_map'], instances, space)
        results['gt_panoptic_map'] = segments.ids
        results['seg_fields'].append('gt_panoptic_map')
        results['gt_segment_labels'] = segments.labels
        results['gt_segment_crowd'] = segments.crowd


@TRANSFORMS.register_module()
class PackPanopticInputs(PackSegInputs):
    """Packs what mmseg's ``PackSegInputs`` does, ``image_id`` and, where it was loaded, the panoptic truth.

    ``gt_panoptic_seg`` is int32 [1, H, W] (the segment, 0 = void) with the metainfo ``labels`` and ``crowd``: class and
    crowd flag of segment 1, 2, ... Crops may have lost some of them.

    Args:
        **kwargs: Of ``PackSegInputs``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.meta_keys: tuple[str, ...] = (*self.meta_keys, 'image_id')

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Packs a sample.

        Raises:
            DataError: Where a transform moved labels and segments apart.
        """
        packed = super().transform(results)
        if 'gt_panoptic_map' in results:
            classes = results['gt_seg_map']  # [H, W]
            ids = follow_padding(results['gt_panoptic_map'], classes)
            # Rotation fills both maps with 255, which may be a segment: void is where the label is ignored.
            ids = np.where(classes == IGNORE_INDEX, 0, ids)
            segments = Segments(ids, results['gt_segment_labels'], results['gt_segment_crowd'])
            check_aligned(segments, classes)
            packed['data_samples'].gt_panoptic_seg = PixelData(
                data=torch.from_numpy(ids)[None], metainfo=dict(labels=segments.labels, crowd=segments.crowd)
            )
        return packed
