"""Test-time augmentation: the mean of class probabilities over augmented views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ...errors import OptionError
from ...registry import MODELS


@MODELS.register_module()
class MultiSpaceTTA(BaseTTAModel):
    """Run a segmentor on several views of each image and average its class probabilities at the original size.

    The views come from mmcv's ``TestTimeAug``. Samples keep what is written on the first view, so also their dataset
    and label space.

    Args:
        module: The segmentor or its config; it is told to keep probabilities.
        data_preprocessor: Config of its preprocessor, if it is not in ``module``.

    Raises:
        OptionError: Where the segmentor makes panoptic results, which cannot be averaged.
    """

    def __init__(self, module: dict[str, Any] | nn.Module, data_preprocessor: Any = None) -> None:
        super().__init__(module, data_preprocessor)
        tasks = list((self.module.test_cfg or {}).get('tasks', ['semantic']))
        if tasks != ['semantic']:
            raise OptionError(
                f'test-time augmentation averages class probabilities; the model makes {", ".join(tasks)} '
                "results: set model.test_cfg.tasks=['semantic'], or test without --tta"
            )
        self.module.test_cfg = {**(self.module.test_cfg or {}), 'keep_probabilities': True}

    def test_step(self, data: dict[str, Any]) -> list[SegDataSample]:
        """Segment a batch, view by view: only the sum of the probabilities so far is kept.

        Args:
            data: ``inputs`` and ``data_samples``, each a list of views of a list of samples, as ``TestTimeAug`` and
                ``pseudo_collate`` give them.

        Returns:
            One sample per image with ``pred_sem_seg``, long [1, H, W].
        """
        merged: list[SegDataSample] = []
        for view in range(len(data['inputs'])):
            samples = self.module.test_step({key: value[view] for key, value in data.items()})
            merged = self.merge_preds(list(zip(merged, samples, strict=True))) if merged else samples
        for sample in merged:
            del sample.seg_logits
        return merged

    def merge_preds(self, data_samples_list: Sequence[Sequence[SegDataSample]]) -> list[SegDataSample]:
        """Sums the probabilities of the views of each image: ``seg_logits`` [K, H, W] at its original size.

        Returns:
            The first view of each image, with the sum as ``seg_logits`` and its classes as ``pred_sem_seg``, long
            [1, H, W]; the others have lost theirs.
        """
        for first, *others in data_samples_list:
            total: Tensor = first.seg_logits.data  # [K, H, W]
            for view in others:
                total += view.seg_logits.data
                del view.seg_logits
            first.pred_sem_seg = PixelData(data=total.argmax(dim=0, keepdim=True))
        return [views[0] for views in data_samples_list]
