"""Panoptic datasets in COCO's format."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from mmdet.datasets import ADE20KPanopticDataset as MMDetADE20K
from mmdet.datasets import CocoPanopticDataset as MMDetCOCO
from mmseg.datasets import BaseSegDataset
from mmseg.datasets import CityscapesDataset as MMSegCityscapes

from ..errors import DataError, errors_of
from ..label_space import LabelSpace
from ..names import default_space_name
from ..registry import DATASETS
from .checks import check_class_count
from .coco_annotations import annotated_images, match_categories, read_annotations


@DATASETS.register_module()
class PanopticDataset(BaseSegDataset):
    """Panoptic data in COCO's format: a JSON file, and for each image a PNG of segment ids.

    The label space is what METAINFO or ``metainfo`` declare (``classes``, ``thing_classes``, ``palette``); categories
    are matched with it by name. Without either, it is the ``categories`` of the file in their order. Samples are read
    by ``mmlmseg.LoadPanopticAnnotations``. Every file is looked for at the start.

    Args:
        ann_file: The JSON file.
        data_root: What the other paths start from.
        data_prefix: ``img_path`` and ``seg_map_path``, the folders of the images and of the PNG files.
        metainfo: The label space, and what else is to be known; ``label_space`` names it.
        **kwargs: Everything else that mmseg's datasets take, e.g. ``pipeline``, ``indices``, ``lazy_init``.

    Raises:
        LabelSpaceError: Where categories and label space differ.
        DataError: Where a file is missing or contradicts itself.
    """

    def __init__(
        self,
        ann_file: str = '',
        data_root: str | None = None,
        data_prefix: Mapping[str, str] | None = None,
        metainfo: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        described = {**self.METAINFO, **copy.deepcopy(dict(metainfo or {}))}
        name = described.setdefault('label_space', default_space_name(type(self).__name__))
        self._content: dict[str, Any] | None = None
        if 'classes' not in described:
            file = os.path.join(data_root or '', ann_file)
            self._content = read_annotations(file)
            with errors_of(file):
                described = {**LabelSpace.from_categories(name, self._content['categories']).to_metainfo(), **described}
        self.space = LabelSpace.from_metainfo(name, described)
        check_class_count(self.space)
        known = self.space.to_metainfo()
        lazy = kwargs.pop('lazy_init', False)
        super().__init__(
            ann_file=ann_file,
            data_root=data_root,
            data_prefix=dict(data_prefix or dict(img_path='', seg_map_path='')),
            metainfo=known,
            lazy_init=True,
            **kwargs,
        )
        # Set here and not above: mmengine reads strings in `metainfo` as names of files wherever such a file exists.
        self._metainfo.update({key: value for key, value in described.items() if key not in known})
        if not lazy:
            self.full_init()

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> None:
        """None: labels come from names, so there is nothing to be mapped."""

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The description of a sample before its pipeline, with ``space``, its label space."""
        return {**super().get_data_info(idx), 'space': self.space}

    def load_data_list(self) -> list[dict[str, Any]]:
        """Lists the samples of the file.

        Returns:
            One dict per sample, as mmseg's transforms want it, with ``image_id`` and ``segments`` (id, class and crowd
            flag of each).

        Raises:
            LabelSpaceError: Where categories and label space differ.
            DataError: Where a file is missing or contradicts itself.
        """
        content, self._content = self._content or read_annotations(self.ann_file), None
        with errors_of(self.ann_file):
            label_of = match_categories(content['categories'], self.space)
            images = annotated_images(content, label_of)
        self._metainfo['category_ids'] = sorted(label_of, key=label_of.__getitem__)
        samples = [
            dict(
                img_path=os.path.join(self.data_prefix['img_path'], image.image),
                seg_map_path=os.path.join(self.data_prefix['seg_map_path'], image.png),
                image_id=image.image_id,
                segments=image.segments,
                label_map=None,
                reduce_zero_label=False,
                seg_fields=[],
            )
            for image in images
        ]
        for key, what in (('img_path', 'image'), ('seg_map_path', 'PNG')):
            if missing := missing_files(sample[key] for sample in samples):
                raise DataError(
                    f'{self.ann_file}: its {what} {missing[0]} is missing ({len(missing)} of {len(samples)} are); '
                    f'complete the download, or correct data_prefix[{key!r}]'
                )
        return samples


def missing_files(paths: Iterable[str]) -> list[str]:
    """Those of many files that do not exist; each folder is listed once."""
    listed: dict[str, set[str]] = {}
    missing = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in listed:
            listed[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name not in listed[folder]:
            missing.append(path)
    return missing


def _metainfo(source: Mapping[str, Any], things: Sequence[str] | None = None) -> dict[str, Any]:
    return dict(
        classes=source['classes'],
        palette=source['palette'],
        thing_classes=source['thing_classes'] if things is None else things,
    )


@DATASETS.register_module()
class COCOPanopticDataset(PanopticDataset):
    """COCO panoptic: 80 things, 53 stuff classes."""

    METAINFO: ClassVar[dict[str, Any]] = _metainfo(MMDetCOCO.METAINFO)


@DATASETS.register_module()
class ADE20KPanopticDataset(PanopticDataset):
    """ADE20K panoptic: 100 things, 50 stuff classes."""

    METAINFO: ClassVar[dict[str, Any]] = _metainfo(MMDetADE20K.METAINFO)


@DATASETS.register_module()
class CityscapesPanopticDataset(PanopticDataset):
    """Cityscapes panoptic: 11 stuff classes, 8 things."""

    METAINFO: ClassVar[dict[str, Any]] = _metainfo(
        MMSegCityscapes.METAINFO,
        things=('person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle'),
    )
