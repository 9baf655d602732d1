"""Tiny models, and what they are exported to: an export takes seconds, so that tests share few of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mmlmseg.export.module import ExportedModel
from mmlmseg.export.program import save_onnx, traced
from mmlmseg.label_space import LabelSpace
from mmlmseg.registry import MODELS


@pytest.fixture
def tiny(model_config: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """A factory of tiny models, LMSeg by default; ``resi=True`` makes one of RESI's kind."""

    def make(resi: bool = False, **head: Any) -> Any:
        if resi:
            head = dict(
                pixel_decoder=dict(
                    type='mmlmseg.DeformablePixelDecoder',
                    num_layers=1,
                    num_heads=4,
                    ffn_channels=32,
                    norm_cfg=dict(type='GN', num_groups=8),
                ),
                queries=dict(type='mmlmseg.LabelSpaceQueries', num_queries=5),
                decoder=dict(type='mmlmseg.MaskedAttentionDecoder', num_layers=3, num_heads=4, ffn_channels=32),
                **head,
            )
        else:
            head = dict(
                decoder=dict(
                    type='mmlmseg.CategoryGuidedDecoder', num_layers=1, num_heads=4, ffn_channels=32, dropout=0.0
                ),
                **head,
            )
        config = model_config(**head)
        config['backbone'] = dict(config['backbone'], depth=18, base_channels=8)
        config['decode_head']['in_channels'] = [8, 16, 32, 64]
        torch.manual_seed(0)
        model = MODELS.build(config)
        model.init_weights()
        return model.eval()

    return make


@pytest.fixture
def to_onnx(tmp_path: Path) -> Callable[[ExportedModel], Path]:
    """Writes a module as ONNX; returns the file."""

    def write(module: ExportedModel) -> Path:
        save_onnx(traced(module), module, tmp_path / 'model.onnx')
        return tmp_path / 'model.onnx'

    return write


@pytest.fixture
def street(spaces: list[LabelSpace]) -> LabelSpace:
    return spaces[0]
