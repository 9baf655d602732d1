"""A model with random weights, and images, for the demo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmlmseg.apis import LMSegInferencer

STEPS = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(64, 64)), dict(type='PackSegInputs')]


@pytest.fixture
def inferencer(model_config: Callable[..., dict]) -> LMSegInferencer:
    """A model of the label spaces ``street`` and ``facade``."""
    street = dict(name='street', classes=['sky', 'building', 'tree', 'road', 'car'], things=['car'])
    model = model_config([street, dict(name='facade', classes=['wall', 'window', 'building'])])
    model['test_cfg'] = dict(panoptic=dict(object=0.0, overlap=0.0))
    config = Config(dict(model=model, default_scope='mmseg', custom_imports=dict(imports=['mmlmseg'])))
    config.test_dataloader = dict(
        dataset=dict(
            type='mmlmseg.FolderDataset', data_root='away', metainfo=dict(label_space='street'), pipeline=STEPS
        )
    )
    config.test_pipeline = STEPS
    inferencer = LMSegInferencer(config, device='cpu')
    embedding = inferencer.model.decode_head.queries  # apart, so that not all queries say the same
    for parameter in embedding.parameters():
        torch.nn.init.normal_(parameter, std=2.0)
    return inferencer


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """An image of 48x80 pixels in a folder of its own."""
    folder = tmp_path / 'uploads'
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (6, 10, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    Image.fromarray(pixels).save(folder / 'photo.png')
    return folder / 'photo.png'
