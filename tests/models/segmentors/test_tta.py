"""Test-time augmentation averages probabilities and keeps the stamp."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmcv.transforms import TestTimeAug
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmlmseg.models.segmentors.tta import MultiSpaceTTA
from mmlmseg.registry import MODELS


class Echo(BaseModel):
    """Takes its input for class probabilities and undoes the flip, as a segmentor does."""

    def __init__(self) -> None:
        super().__init__()
        self.test_cfg: dict = {}
        self.given: list[weakref.ref[torch.Tensor]] = []
        self.most_kept = 0

    def forward(self, inputs: list, data_samples: list, mode: str = 'predict') -> list:
        assert self.test_cfg['keep_probabilities']
        self.most_kept = max(self.most_kept, sum(given() is not None for given in self.given))
        for image, sample in zip(inputs, data_samples, strict=True):
            probabilities = image.flip(-1) if sample.metainfo['flip'] else image.clone()
            self.given.append(weakref.ref(probabilities))
            sample.seg_logits = PixelData(data=probabilities)
            sample.pred_sem_seg = PixelData(data=probabilities.argmax(0, keepdim=True))
        return data_samples


def _views(probabilities: list[torch.Tensor], name: str) -> dict:
    samples = []
    for index in range(len(probabilities)):
        meta = dict(flip=bool(index), dataset=name, label_spaces=(f'{name}-space',), img_path=f'{name}.png')
        sample = SegDataSample(metainfo=meta)
        sample.gt_sem_seg = PixelData(data=torch.zeros(1, 4, 5))
        samples.append(sample)
    inputs = [p.flip(-1) if index else p for index, p in enumerate(probabilities)]
    return dict(inputs=inputs, data_samples=samples)


def test_mean_of_views_of_different_numbers_of_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    first = [torch.rand(3, 4, 5, generator=generator) for _ in range(3)]
    second = [torch.rand(6, 4, 5, generator=generator) for _ in range(3)]
    model = MODELS.build(dict(type='mmlmseg.MultiSpaceTTA', module=Echo()))
    assert isinstance(model, MultiSpaceTTA)
    items = [_views(first, 'a'), _views(second, 'b')]
    batch = {key: list(zip(*(item[key] for item in items), strict=True)) for key in items[0]}  # as pseudo_collate does
    merged = model.test_step(batch)
    for sample, views, name in zip(merged, (first, second), 'ab', strict=True):
        expected = torch.stack(views).mean(0).argmax(0, keepdim=True)
        assert torch.equal(sample.pred_sem_seg.data, expected)
        assert sample.metainfo['dataset'] == name
        assert sample.metainfo['label_spaces'] == (f'{name}-space',)
        assert 'gt_sem_seg' in sample
        assert 'seg_logits' not in sample
    assert model.module.most_kept == 2  # the running sum of each image, however many views there are


def test_with_real_views_and_a_real_segmentor(model_config: Callable[..., dict]) -> None:
    views = TestTimeAug(
        transforms=[
            [dict(type='mmseg.Resize', scale_factor=ratio, keep_ratio=True) for ratio in (1.0, 1.5)],
            [dict(type='mmseg.RandomFlip', prob=prob) for prob in (0.0, 1.0)],
            [dict(type='mmseg.PackSegInputs')],
        ]
    )
    items = []
    for seed, (space, size) in enumerate([('street', (40, 56)), ('facade', (32, 48))]):
        image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        item = views(dict(img=image, img_path=f'{seed}.png', img_shape=size, ori_shape=size))
        for sample in item['data_samples']:
            sample.set_metainfo(dict(dataset=space, label_spaces=(space,)))
        items.append(item)
    model = MODELS.build(dict(type='mmlmseg.MultiSpaceTTA', module=model_config())).eval()
    merged = model.test_step(pseudo_collate(items))
    assert [tuple(sample.pred_sem_seg.data.shape) for sample in merged] == [(1, 40, 56), (1, 32, 48)]
    assert [sample.metainfo['label_spaces'] for sample in merged] == [('street',), ('facade',)]
    assert int(merged[1].pred_sem_seg.data.max()) < 3


def test_panoptic_results_are_refused(model_config) -> None:
    with pytest.raises(ValueError, match='the model makes semantic, panoptic results'):
        MultiSpaceTTA(dict(model_config(), test_cfg=dict(tasks=['semantic', 'panoptic'])))
