"""Training steps on noise: what a loader gives, and a model with its optimiser, of a config. For measurements only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from ..registry import MODELS


def noise(size: tuple[int, int], label_space: str, classes: int, present: int, seed: int) -> dict[str, Any]:
    """A sample as a pipeline packs it: an image of noise, and a label map of blocks.

    Args:
        size: Height and width in pixels.
        label_space: Its name.
        classes: Of the label space.
        present: How many of them the label map holds.
        seed: Of the noise and of the classes.
    """
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(256, (3, *size), dtype=torch.uint8, generator=generator)
    shown = torch.randperm(classes, generator=generator)[:present]
    row, column = (torch.arange(length) * 8 // length for length in size)
    labels = shown[(row[:, None] * 8 + column) % present]  # [H, W]
    meta = dict(img_shape=size, ori_shape=size, label_spaces=(label_space,))
    return dict(inputs=image, data_samples=SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=labels[None])))


def batch(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Samples as a loader puts them together."""
    return {key: [sample[key] for sample in samples] for key in ('inputs', 'data_samples')}


def build(cfg: Config) -> tuple[nn.Module, Any]:
    """The model of a config in training, with random weights, and its optimiser wrapper."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(cfg.model)
        model.init_weights()
        return model.train(), build_optim_wrapper(model, cfg.optim_wrapper)
