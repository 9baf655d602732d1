"""Folder datasets of the same images, read together: truth in several label spaces at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from ..errors import DataError, LabelSpaceError, did_you_mean
from ..label_space import LabelSpace, LabelSpaces
from ..registry import DATASETS
from .folder import FolderDataset, read_split
from .load_image import read_as_declared

_OF_A_FOLDER = {'data_root', 'things', 'metainfo', 'reduce_zero_label'}


@DATASETS.register_module()
class MultiSpaceFolderDataset(BaseDataset):
    """Evaluates a model in several label spaces at once: each image has truth in all of them, and masks may overlap.

    Its samples ask the model for all the spaces; ``mmlmseg.LoadSegments`` and ``mmlmseg.PackSegments`` load their
    truth, which ``mmlmseg.PanopticInstanceQuality`` and ``mmlmseg.InstanceAP`` score.

    Args:
        folders: What tells :class:`FolderDataset` the label space, ``data_root`` and perhaps ``things``, ``metainfo``
            or ``reduce_zero_label``, one entry a space. Their lists name the same samples; the images are the first's.
        split: Which list to read.
        pipeline: Transforms, from the loading of the image to ``PackSegments``.
        image: What the images hold, see :class:`FolderDataset`.
        lazy_init: Whether to read the list later, with :meth:`full_init`.
        **kwargs: Everything else that mmengine's datasets take, e.g. ``indices``.

    Raises:
        DataError: Where the folders list different samples or one is given what is said for all, or what
            :class:`FolderDataset` raises.
        LabelSpaceError: Where two folders have one label space, or there are not two.

    Examples:
        >>> dataset = dict(
        ...     type='mmlmseg.MultiSpaceFolderDataset',
        ...     folders=[dict(data_root='data/camvid_fine'), dict(data_root='data/camvid_coarse')],
        ...     pipeline=[
        ...         dict(type='LoadImageFromFile'),
        ...         dict(type='mmlmseg.LoadSegments'),
        ...         dict(type='mmlmseg.PackSegments'),
        ...     ],
        ... )
    """

    def __init__(
        self,
        folders: Sequence[Mapping[str, Any]],
        split: str = 'val',
        pipeline: Sequence[Any] = (),
        image: Mapping[str, Any] | None = None,
        lazy_init: bool = False,
        **kwargs: Any,
    ) -> None:
        if len(folders) < 2:
            raise LabelSpaceError(
                f'MultiSpaceFolderDataset: {len(folders)} folders; one label space needs a FolderDataset'
            )
        for folder in folders:
            if not isinstance(folder, Mapping) or 'data_root' not in folder:
                raise DataError(f'MultiSpaceFolderDataset: a folder is dict(data_root=...); got {folder!r}')
            if surplus := sorted(folder.keys() - _OF_A_FOLDER):
                raise DataError(
                    f'MultiSpaceFolderDataset: {folder.get("data_root")} is given {", ".join(surplus)}; a folder has '
                    f'{", ".join(sorted(_OF_A_FOLDER))}, the rest is said once, for all of them'
                )
        self.folders = [FolderDataset(**folder, split=split, image=image, lazy_init=True) for folder in folders]
        self.spaces: tuple[LabelSpace, ...] = tuple(LabelSpaces([folder.space for folder in self.folders]))
        super().__init__(pipeline=list(pipeline), lazy_init=True, **kwargs)
        if (declared := self.folders[0].image) is not None:
            read_as_declared(self.pipeline, declared)
        if not lazy_init:
            self.full_init()

    def load_data_list(self) -> list[dict[str, Any]]:
        """One dict per sample of the split: ``img_path``, and ``truths``, what each folder says of it."""
        listed = [
            dict(zip(read_split(Path(folder.ann_file)), folder.load_data_list(), strict=True))
            for folder in self.folders
        ]
        first = listed[0]
        for folder, samples in zip(self.folders, listed, strict=True):
            if others := sorted(first.keys() ^ samples.keys()):
                where, known = (self.folders[0], first) if others[0] in samples else (folder, samples)
                raise DataError(
                    f'{where.ann_file}: lacks {others[0]!r}, which another folder of the dataset lists '
                    f'({len(others)} such names); all must list the same.{did_you_mean(others[0], known)}'
                )
        return [
            dict(img_path=info['img_path'], truths=[samples[name] for samples in listed], seg_fields=[])
            for name, info in first.items()
        ]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The description of a sample before its pipeline, with ``spaces``, the label space of each truth."""
        info = super().get_data_info(idx)
        truths = [
            {**truth, **folder.meaning_of_values()} for truth, folder in zip(info['truths'], self.folders, strict=True)
        ]
        return {**info, 'truths': truths, 'spaces': self.spaces}
