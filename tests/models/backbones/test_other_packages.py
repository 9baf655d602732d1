"""Backbones of mmpretrain, which is imported as a config names one; here a stand-in with the same registry."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS as ROOT

from mmlmseg.errors import OptionError
from mmlmseg.registry import MODELS

REGISTRY = """
from mmengine.registry import MODELS as ROOT, Registry
MODELS = Registry('model', parent=ROOT, scope='mmpretrain', locations=['mmpretrain.models'])
"""
BACKBONE = """
from mmengine.model import BaseModule
from torch import nn
from ..registry import MODELS

@MODELS.register_module()
class Patches(BaseModule):
    def __init__(self, patch_size):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, 8, patch_size, patch_size)  # leaves out what fills no patch

    def forward(self, images):
        return (self.patch_embed(images),)
"""


@pytest.fixture
def mmpretrain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if 'mmpretrain' in ROOT.children:
        pytest.skip('mmpretrain itself is there')
    (tmp_path / 'mmpretrain' / 'models').mkdir(parents=True)
    (tmp_path / 'mmpretrain' / '__init__.py').write_text('')
    (tmp_path / 'mmpretrain' / 'registry.py').write_text(REGISTRY)
    (tmp_path / 'mmpretrain' / 'models' / '__init__.py').write_text(BACKBONE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    ROOT.children.pop('mmpretrain', None)
    for name in [name for name in sys.modules if name.partition('.')[0] == 'mmpretrain']:
        del sys.modules[name]


@pytest.mark.usefixtures('mmpretrain')
def test_a_backbone_is_found_and_padded_for(model_config: Callable[..., dict[str, Any]]) -> None:
    config = dict(model_config(in_channels=[8]), backbone=dict(type='mmpretrain.Patches', patch_size=14))
    with pytest.raises(OptionError, match='size_divisor = 32, .* give 14'):
        MODELS.build(config)
    config['data_preprocessor']['size_divisor'] = None
    model = MODELS.build(config)
    assert type(model.backbone).__module__ == 'mmpretrain.models'
    assert model.data_preprocessor.size_divisor == 14
    assert [tuple(own.shape) for own in model.extract_feat(torch.zeros(1, 3, 28, 42))] == [(1, 8, 2, 3)]


@pytest.mark.usefixtures('mmpretrain')
def test_a_misspelt_one_is_named() -> None:
    with pytest.raises(OptionError, match=r"no model 'mmpretrain.Patch'. Did you mean: mmpretrain.Patches"):
        MODELS.build(dict(type='mmpretrain.Patch'))
