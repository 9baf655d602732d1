"""Truth in several label spaces at once: folder datasets of the same images, read together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.structures import InstanceData, PixelData
from mmseg.datasets.transforms import PackSegInputs

from ..errors import DataError, LabelSpaceError, did_you_mean
from ..label_space import LabelSpace, LabelSpaces
from ..registry import DATASETS, TRANSFORMS
from .folder import FolderDataset, read_split
from .panoptic_transforms import LoadPanopticAnnotations
from .segments import Segments

_OF_A_FOLDER = {'data_root', 'things', 'metainfo', 'reduce_zero_label'}


@DATASETS.register_module()
class MixedFolderDataset(BaseDataset):
    """Evaluates a model in several label spaces at once: each image has truth in all of them, and masks may overlap.

    Its samples ask the model for all the spaces; ``mmlmseg.LoadMixedAnnotations`` and ``mmlmseg.PackMixedInputs`` load
    their truth, which ``mmlmseg.PanopticInstanceQuality`` and ``mmlmseg.InstanceAP`` score.

    Args:
        folders: What tells :class:`FolderDataset` the label space, ``data_root`` and perhaps ``things``, ``metainfo``
            or ``reduce_zero_label``, one entry a space. Their lists name the same samples; the images are the first's.
        split: Which list to read.
        pipeline: Transforms, from the loading of the image to ``PackMixedInputs``.
        lazy_init: Whether to read the list later, with :meth:`full_init`.
        **kwargs: Everything else that mmengine's datasets take, e.g. ``indices``.

    Raises:
        DataError: Where the folders list different samples or one is given what is said for all, or what
            :class:`FolderDataset` raises.
        LabelSpaceError: Where two folders have one label space, or there are not two.

    Examples:
        >>> dataset = dict(
        ...     type='mmlmseg.MixedFolderDataset',
        ...     folders=[dict(data_root='data/camvid_fine'), dict(data_root='data/camvid_coarse')],
        ...     pipeline=[
        ...         dict(type='LoadImageFromFile'),
        ...         dict(type='mmlmseg.LoadMixedAnnotations'),
        ...         dict(type='mmlmseg.PackMixedInputs'),
        ...     ],
        ... )
    """

    def __init__(
        self,
        folders: Sequence[Mapping[str, Any]],
        split: str = 'val',
        pipeline: Sequence[Any] = (),
        lazy_init: bool = False,
        **kwargs: Any,
    ) -> None:
        if len(folders) < 2:
            raise LabelSpaceError(f'MixedFolderDataset: {len(folders)} folders; one label space needs a FolderDataset')
        for folder in folders:
            if surplus := sorted(folder.keys() - _OF_A_FOLDER):
                raise DataError(
                    f'MixedFolderDataset: {folder.get("data_root")} is given {", ".join(surplus)}; a folder has '
                    f'{", ".join(sorted(_OF_A_FOLDER))}, the rest is said once, for all of them'
                )
        self.folders = [FolderDataset(**folder, split=split, lazy_init=True) for folder in folders]
        self.spaces: tuple[LabelSpace, ...] = tuple(LabelSpaces([folder.space for folder in self.folders]))
        super().__init__(pipeline=list(pipeline), lazy_init=lazy_init, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Lists the samples of the split.

        Returns:
            One dict per sample: ``img_path``, and ``truths``, what :class:`FolderDataset` says of it in each folder.

        Raises:
            DataError: Where a file is missing, or a folder lists other samples than the first.
        """
        listed = [
            dict(zip(read_split(Path(folder.ann_file)), folder.load_data_list(), strict=True))
            for folder in self.folders
        ]
        first = listed[0]
        for folder, samples in zip(self.folders, listed, strict=True):
            if others := sorted(first.keys() ^ samples.keys()):
                where, known = (self.folders[0], first) if others[0] in samples else (folder, samples)
                raise DataError(
                    f'{where.ann_file}: lacks {others[0]!r}, which another folder of the mixed dataset lists '
                    f'({len(others)} such names); all must list the same.{did_you_mean(others[0], known)}'
                )
        return [
            dict(img_path=info['img_path'], truths=[samples[name] for samples in listed])
            for name, info in first.items()
        ]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The description of a sample before its pipeline, with ``spaces``, the label space of each truth."""
        return {**super().get_data_info(idx), 'spaces': self.spaces}


@TRANSFORMS.register_module()
class LoadMixedAnnotations(BaseTransform):
    """Reads the truth of a sample of :class:`MixedFolderDataset` in each of its label spaces.

    Adds ``gt_segments``, the :class:`Segments` of each space at the size of the files. Transforms that move pixels do
    not carry them along: predictions are compared at the original size.
    """

    def __init__(self) -> None:
        self._load = LoadPanopticAnnotations()

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Reads the files of all truths.

        Raises:
            DataError: Where one does not fit image or label space.
        """
        if 'truths' not in results:
            raise DataError(
                'the sample has no truth in several spaces: LoadMixedAnnotations reads those of '
                'mmlmseg.MixedFolderDataset'
            )
        shared = dict(img_path=results['img_path'], ori_shape=results['ori_shape'])
        results['gt_segments'] = []
        for truth, space in zip(results['truths'], results['spaces'], strict=True):
            own = self._load({**shared, **truth, 'space': space, 'seg_fields': []})
            results['gt_segments'].append(
                Segments(own['gt_panoptic_map'], own['gt_segment_labels'], own['gt_segment_crowd'])
            )
        return results


@TRANSFORMS.register_module()
class PackMixedInputs(PackSegInputs):
    """Packs what mmseg's ``PackSegInputs`` does and, where it was loaded, the truth in several label spaces.

    ``gt_masks`` holds ``masks``, bool [T, H, W], ``labels``, long [T], indices into the classes of all spaces one after
    the other, and ``crowd``, bool [T]; ``gt_void`` is bool [S, H, W]: where each space has no truth.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Packs a sample."""
        packed = super().transform(results)
        if 'gt_segments' in results:
            sample, first = packed['data_samples'], 0
            masks, labels, crowd, void = [], [], [], []
            for segments, space in zip(results['gt_segments'], results['spaces'], strict=True):
                numbers = np.arange(1, len(segments.labels) + 1)
                masks.append(segments.ids == numbers[:, None, None])  # [T_s, H, W]
                labels += [first + label for label in segments.labels]
                crowd += segments.crowd
                void.append(segments.ids == 0)
                first += space.num_classes
            sample.gt_masks = InstanceData(
                masks=torch.from_numpy(np.concatenate(masks)),
                labels=torch.tensor(labels, dtype=torch.long),
                crowd=torch.tensor(crowd, dtype=torch.bool),
            )
            sample.gt_void = PixelData(data=torch.from_numpy(np.stack(void)))
        return packed
