"""Mapillary Vistas with the 65 classes that papers report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from mmseg.datasets import MapillaryDataset_v1

from ..registry import DATASETS

_UNLABELED = MapillaryDataset_v1.METAINFO['classes'].index('Unlabeled')


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
        return {**(super().get_label_map(new_classes) or {}), _UNLABELED: 255}
