"""Test-time augmentation: the mean of class probabilities over augmented views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ..registry import MODELS


@MODELS.register_module()
class MultiSpaceTTA(BaseTTAModel):
    """Run a segmentor on several views of each image and average its class probabilities at the original size.

    The views come from mmcv's ``TestTimeAug``. Samples keep what is written on the first view, so also their dataset
    and label space.

    Args:
        module: The segmentor or its config; it is told to keep probabilities.
        data_preprocessor: Config of its preprocessor, if it is not in ``module``.
    """

    def __init__(self, module: dict[str, Any] | nn.Module, data_preprocessor: Any = None) -> None:
        super().__init__(module, data_preprocessor)
        self.module.test_cfg = {**(self.module.test_cfg or {}), 'keep_probabilities': True}

    def merge_preds(self, data_samples_list: Sequence[Sequence[SegDataSample]]) -> list[SegDataSample]:
        """Merge the views.

        Args:
            data_samples_list: The views of each image, with ``seg_logits``: probabilities [K, H, W] at its original
                size and orientation.

        Returns:
            One sample per image with ``pred_sem_seg``, long [1, H, W].
        """
        return [_merge(views) for views in data_samples_list]


def _merge(views: Sequence[SegDataSample]) -> SegDataSample:
    merged = views[0]
    total: Tensor = torch.zeros_like(merged.seg_logits.data)  # [K, H, W]
    for view in views:
        total += view.seg_logits.data
        del view.seg_logits
    merged.pred_sem_seg = PixelData(data=total.argmax(dim=0, keepdim=True))
    return merged
