"""Transforms of a sample: loading and packing its segments beside its labels, and crops whose size is random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import mmcv
import numpy as np
import torch
from mmengine import fileio
from mmseg.datasets import transforms as stock
from PIL import Image
from torch import Tensor

from ..errors import DataError, OptionError, errors_of
from ..federated import FEDERATED
from ..label_space import LabelSpace
from ..panoptic_png import read_panoptic_png
from ..registry import TRANSFORMS
from ..segments import BACKGROUND, VOID, SegmentMap, ignore_index_of
from .checks import CheckLabels
from .coco_objects import read_objects
from .files import refuse_jpeg
from .truth import Numbered, check_aligned, follow_padding, segments_of_ids, segments_of_labels


def read_instances(path: str) -> np.ndarray:
    """Reads a map of segment ids, one 8-bit or 16-bit number per pixel, as int32 [H, W], where 0 is void."""
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


def map_keys(number: int) -> list[tuple[str, str]]:
    """The keys under which a sample of so many label spaces holds classes and segments of each, numbered from 0."""
    ends = [''] if number == 1 else [f'_{i}' for i in range(number)]
    return [(f'gt_seg_map{end}', f'gt_segment_map{end}') for end in ends]


def below_keys(number: int) -> list[str]:
    """The keys under which a sample holds the segments below its segments, so many deep."""
    return [f'gt_segment_map_below_{i}' for i in range(number)]


def id_table(reduce_zero_label: bool, label_map: Mapping[int, int] | None) -> np.ndarray:
    """What each 8-bit id of a label map is read as, uint8 [256].

    Args:
        reduce_zero_label: Whether ids are lowered by one, 0 and 255 becoming 255.
        label_map: New ids by old ones, applied after that.
    """
    ids = np.arange(256, dtype=np.uint8)
    if reduce_zero_label:
        ids[1:255] -= 1
        ids[0] = 255
    table = ids.copy()
    for old, new in (label_map or {}).items():
        table[ids == old] = new
    return table


@TRANSFORMS.register_module()
class LoadAnnotations(stock.LoadAnnotations):
    """mmseg's loading of labels, which changes all ids at once by a table.

    It reads what the ``label_values`` of a sample say too: colours, and ids of any number of bits. Arguments are those
    of mmseg's; ``reduce_zero_label`` is that of each sample.

    Raises:
        OptionError: Where ``reduce_zero_label`` is given and is not that of a sample.
    """

    def _load_seg_map(self, results: dict[str, Any]) -> None:
        if results.get('seg_map_path') is None:
            raise DataError(
                "the sample has no label map; objects of mmlmseg.InstanceDataset are loaded by dict(type='mmlmseg."
                "LoadSegments') in the pipeline, in place of LoadAnnotations"
            )
        reduced = results['reduce_zero_label']
        if self.reduce_zero_label not in (None, reduced):
            raise OptionError(
                f'LoadAnnotations has reduce_zero_label={self.reduce_zero_label}, the dataset of '
                f'{results["seg_map_path"]} {reduced}; say it in the dataset alone'
            )
        content = fileio.get(results['seg_map_path'], backend_args=self.backend_args)
        labels = mmcv.imfrombytes(content, flag='unchanged', backend=self.imdecode_backend)
        if values := results.get('label_values'):
            with errors_of(results['seg_map_path']):
                refuse_jpeg(content)
                results['gt_seg_map'] = values.read(labels)
        else:
            if labels.ndim == 3 and labels.shape[2] == 1:
                labels = labels[..., 0]
            table = id_table(reduced, results.get('label_map'))
            results['gt_seg_map'] = cv2.LUT(labels.astype(np.uint8, copy=False), table)
        results['seg_fields'].append('gt_seg_map')


@TRANSFORMS.register_module()
class LoadSegments(LoadAnnotations):
    """Reads labels and segments of a sample in each of its label spaces, and checks them.

    It reads samples of ``mmlmseg.FolderDataset``, ``mmlmseg.PanopticDataset``, ``mmlmseg.InstanceDataset`` and
    ``mmlmseg.MultiSpaceFolderDataset``.
    Adds ``gt_seg_map`` [H, W], uint8 (255 = void; uint16 and 65535 for more than 255 classes), and ``gt_segment_map``,
    int32 [H, W] (the segment, 0 = void), with several spaces ``gt_seg_map_0``, ``gt_segment_map_0``, ``gt_seg_map_1``,
    ... All are in ``seg_fields``, so that geometric transforms carry them along. ``gt_segment_labels`` and
    ``gt_segment_crowd`` list, for each space, class and crowd flag of its segment 1, 2, ...

    A folder sample has labels, and ids of instances in ``instances/NAME.png``. A stuff class is one segment. Pixels of
    a thing outside every instance are in no segment and keep their label.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Reads the files of a sample; they must fit the image, the label space, and one another."""
        if 'spaces' not in results:
            raise DataError(
                'the sample does not say which classes are things: LoadSegments reads those of '
                'mmlmseg.PanopticDataset, mmlmseg.InstanceDataset and mmlmseg.FolderDataset; for others take '
                'LoadAnnotations'
            )
        spaces = results['spaces']
        results.update(gt_segment_labels=[], gt_segment_crowd=[])
        truths = results.get('truths', [results])
        for space, truth, keys in zip(spaces, truths, map_keys(len(spaces)), strict=True):
            classes, (ids, labels, crowd), below = self._read({**results, **truth, 'seg_fields': []}, space)
            if (empty := results.get('no_data')) is not None:
                ids, below = np.where(empty, VOID, ids), [np.where(empty, VOID, one) for one in below]
            maps = dict(zip((*keys, *below_keys(len(below))), (classes, ids, *below), strict=True))
            results.update(maps)
            results['seg_fields'] += maps
            results['gt_segment_labels'].append(labels)
            results['gt_segment_crowd'].append(crowd)
        return results

    def _read(self, truth: dict[str, Any], space: LabelSpace) -> tuple[np.ndarray, Numbered, list[np.ndarray]]:
        """Classes [H, W] and segments of one label space, and what lies below these; classes are checked first."""
        check = CheckLabels(space.num_classes)
        if 'objects' in truth:
            truth['gt_seg_map'], segments, below = read_objects(
                truth['objects'], truth['size'], space, truth['overlaps'], truth['rest']
            )
            check(truth)
            return truth['gt_seg_map'], segments, below
        file = truth['seg_map_path']
        if 'segments' in truth:
            ids = read_panoptic_png(file)
            with errors_of(file):
                truth['gt_seg_map'], segments = segments_of_ids(ids, truth['segments'], space)
            check(truth)
        else:
            self._load_seg_map(truth)
            check(truth)
            instances = read_instances(truth['panoptic_path']) if 'panoptic_path' in truth else None
            if instances is not None and 'no_data' in truth:
                instances = np.where(truth['no_data'], VOID, instances)
            with errors_of(truth.get('panoptic_path', file)):
                segments = segments_of_labels(truth['gt_seg_map'], instances, space)
        return truth['gt_seg_map'], segments, []


def image_planes(image: np.ndarray) -> Tensor:
    """An image [H, W, C], or [H, W] of one channel, as tensor [C, H, W]; a tenth of the time of a transposed copy."""
    channels = image.shape[2] if image.ndim == 3 else 1
    planes = np.empty((channels, *image.shape[:2]), image.dtype)
    cv2.split(image, list(planes))
    return torch.from_numpy(planes)


@TRANSFORMS.register_module()
class PackSegments(stock.PackSegInputs):
    """Packs what mmseg's ``PackSegInputs`` does, ``image_id``, the classes that were looked for where these are not all
    (:mod:`mmlmseg.federated`) and, where they were loaded, the segments.

    ``gt_segments`` is a :class:`~mmlmseg.segments.SegmentMap` of all label spaces of the sample. With several of them
    there is no ``gt_sem_seg``. Arguments are those of ``PackSegInputs``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.meta_keys: tuple[str, ...] = (*self.meta_keys, 'image_id', FEDERATED)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Packs a sample, where no transform moved labels and segments apart."""
        packed = super().transform({key: value for key, value in results.items() if key != 'img'})
        if 'img' in results:
            packed['inputs'] = image_planes(results['img'])
        if 'gt_segment_labels' in results:
            packed['data_samples'].gt_segments = _join_spaces(results)
        return packed


def _join_spaces(results: dict[str, Any]) -> SegmentMap:
    """The segments of all spaces, numbered on from space to space, their labels likewise."""
    spaces = results['spaces']
    layers: list[np.ndarray] = []
    labels: list[int] = []
    below: list[np.ndarray] = []
    first = 0
    for space, keys, own in zip(spaces, map_keys(len(spaces)), results['gt_segment_labels'], strict=True):
        classes, ids = (results[key] for key in keys)
        void = ignore_index_of(space.num_classes)
        # Rotation fills all maps with 255, which may be a segment: void is where the label is ignored.
        ids = follow_padding(ids, classes, void)
        ids = np.where((classes == void) & (ids != BACKGROUND), VOID, ids)
        check_aligned(ids, own, classes, void)
        layers.append(np.where(ids <= VOID, ids, ids + len(labels)))
        labels += [first + label for label in own]
        first += space.num_classes
        for key in below_keys(sum(key.startswith('gt_segment_map_below_') for key in results)):
            below.append(np.where(classes == void, VOID, follow_padding(results[key], classes, void)))
    return SegmentMap(
        torch.from_numpy(np.stack(layers)),  # [S, H, W]
        torch.tensor(labels, dtype=torch.long),
        torch.tensor([flag for own in results['gt_segment_crowd'] for flag in own], dtype=torch.bool),
        below=torch.from_numpy(np.stack(below)) if below else None,
    )


@TRANSFORMS.register_module()
class ResizeShortestEdge(stock.ResizeShortestEdge):
    """mmseg's resizing of the shortest side, in sizes that are rounded once, as detectron2 rounds them.

    mmseg resizes within the rounded size and rounds again, so that a side may come out one or two pixels shorter.
    Arguments are those of mmseg's.
    """

    def __init__(self, scale: int | tuple[int, int], max_size: int) -> None:
        super().__init__(scale, max_size)
        self.resize.keep_ratio = False

    def _get_output_shape(self, img: np.ndarray, short_edge_length: int | tuple[int, int]) -> tuple[int, int]:
        width, height = super()._get_output_shape(img, short_edge_length)
        return max(width, 1), max(height, 1)


@TRANSFORMS.register_module()
class RandomRangeCrop(stock.RandomCrop):
    """Crops images to a height and a width drawn from a range, as DETR and MaskFormer do for COCO.

    Args:
        low: The smallest side of a crop in pixels; an image that is smaller keeps its side.
        high: The largest.

    Raises:
        OptionError: Where the range is empty or not positive.
    """

    def __init__(self, low: int, high: int) -> None:
        if not 0 < low <= high:
            raise OptionError(f'crops are drawn from {low} to {high} pixels; give a range of positive sizes')
        super().__init__(crop_size=(high, high))
        self.low, self.high = low, high

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crops image and maps alike."""
        self.crop_size = tuple(
            int(np.random.randint(min(self.low, side), min(self.high, side) + 1)) for side in results['img'].shape[:2]
        )
        return super().transform(results)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(low={self.low}, high={self.high})'
