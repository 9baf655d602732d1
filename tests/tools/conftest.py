"""Fixtures of the tests of tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmlmseg.registry import MODELS

Tested = Callable[[dict[str, Any], Sequence[str]], tuple[nn.Module, list[str]]]


@pytest.fixture
def tested(tmp_path: Path) -> Tested:
    """Writes config and checkpoint of a random model, whose test data are the val splits of folder datasets."""

    def write(model: dict[str, Any], folders: Sequence[str]) -> tuple[nn.Module, list[str]]:
        steps = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
        datasets = [dict(type='mmlmseg.FolderDataset', data_root=f, split='val', pipeline=steps) for f in folders]
        config = Config(
            dict(
                model=model,
                test_dataloader=dict(
                    batch_size=2,
                    num_workers=0,
                    sampler=dict(type='DefaultSampler', shuffle=False),
                    dataset=dict(type='mmlmseg.MultiDataset', datasets=datasets),
                    collate_fn=dict(type='pseudo_collate'),
                ),
                test_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIoU')),
                test_cfg=dict(type='TestLoop'),
                default_scope='mmseg',
            )
        )
        config.dump(tmp_path / 'config.py')
        built = MODELS.build(model)
        torch.save(dict(state_dict=built.state_dict()), tmp_path / 'tiny.pth')
        return built, [str(tmp_path / 'config.py'), str(tmp_path / 'tiny.pth')]

    return write
