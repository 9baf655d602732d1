"""Public datasets in the form that papers report on, where OpenMMLab has none for mmseg."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from mmdet.datasets import ADE20KPanopticDataset as MMDetADE20K
from mmdet.datasets import CocoPanopticDataset as MMDetCOCO
from mmseg.datasets import CityscapesDataset as MMSegCityscapes
from mmseg.datasets import MapillaryDataset_v1

from ..registry import DATASETS
from ..segments import IGNORE_INDEX
from .coco_panoptic import PanopticDataset

_UNLABELED = MapillaryDataset_v1.METAINFO['classes'].index('Unlabeled')


@DATASETS.register_module()
class COCOPanopticDataset(PanopticDataset):
    """COCO panoptic: 80 things, 53 stuff classes."""

    METAINFO: ClassVar[dict[str, Any]] = MMDetCOCO.METAINFO


@DATASETS.register_module()
class ADE20KPanopticDataset(PanopticDataset):
    """ADE20K panoptic: 100 things, 50 stuff classes."""

    METAINFO: ClassVar[dict[str, Any]] = {
        **MMDetADE20K.METAINFO,
        'synonyms': {'airplane': ['plane']},  # as the converter of MaskFormer and Mask2Former writes it
    }


@DATASETS.register_module()
class CityscapesPanopticDataset(PanopticDataset):
    """Cityscapes panoptic: 11 stuff classes, 8 things."""

    METAINFO: ClassVar[dict[str, Any]] = {
        **MMSegCityscapes.METAINFO,
        'thing_classes': ('person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle'),
    }


@DATASETS.register_module()
class MapillaryVistas65Dataset(MapillaryDataset_v1):
    """Mapillary Vistas v1.2 without its class ``Unlabeled``, whose pixels are ignored (id 65 becomes 255)."""

    METAINFO: ClassVar[dict[str, Any]] = {
        key: tuple(value for i, value in enumerate(MapillaryDataset_v1.METAINFO[key]) if i != _UNLABELED)
        for key in ('classes', 'palette')
    }

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> dict[int, int]:
        """The mapping from ids on disk to ids of ``new_classes``, with ``Unlabeled`` ignored."""
        return {**(super().get_label_map(new_classes) or {}), _UNLABELED: IGNORE_INDEX}
