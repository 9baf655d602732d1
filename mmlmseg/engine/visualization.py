"""Drawing results over images as they were read, also those of other depths and bands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmcv
from mmengine import fileio
from mmengine.runner import Runner
from mmseg.engine.hooks import SegVisualizationHook
from mmseg.structures import SegDataSample

from ..datasets.load_image import LoadImage
from ..registry import HOOKS
from ..visualization.drawing import Picture, as_picture


@HOOKS.register_module()
class VisualizationHook(SegVisualizationHook):
    """mmseg's hook, which also draws images whose dataset declares their bands and values.

    Arguments are those of mmseg's.
    """

    _tested = 0  # how many samples of a test were drawn

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any, outputs: Sequence[SegDataSample]) -> None:
        """Draws the first sample of a batch, each ``interval`` steps."""
        step = runner.iter + batch_idx
        if self.draw and step % self.interval == 0:
            self._add('val', outputs[0], step)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any, outputs: Sequence[SegDataSample]
    ) -> None:
        """Draws all samples of a batch."""
        for sample in outputs if self.draw else ():
            self._tested += 1
            self._add('test', sample, self._tested)

    def _add(self, split: str, sample: SegDataSample, step: int) -> None:
        self._visualizer.add_datasample(
            f'{split}_{Path(sample.img_path).name}',
            self._picture(sample),
            data_sample=sample,
            show=self.show,
            wait_time=self.wait_time,
            step=step,
        )

    def _picture(self, sample: SegDataSample) -> Picture:
        """The image of a sample, RGB, uint8 [H, W, 3]."""
        if declared := sample.metainfo.get('image_format'):
            loading = LoadImage(**declared, backend_args=self.backend_args)
            image = loading.transform(dict(img_path=sample.img_path))['img']
            return as_picture(image)
        content = fileio.get(sample.img_path, backend_args=self.backend_args)
        picture: Picture = mmcv.imfrombytes(content, channel_order='rgb')
        return picture
