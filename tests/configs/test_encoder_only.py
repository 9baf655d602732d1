"""The configs of the encoder-only row."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmlmseg.config_checks import cautions, check_config
from mmlmseg.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'configs' / 'encoder_only'
LARGE = FOLDER / 'encoder-only_dinov3-l16_ade20k-cityscapes-coco-panoptic.py'
DOCUMENT = (ROOT / 'docs' / 'encoder_only.md').read_text(encoding='utf-8')


@pytest.mark.parametrize('path', sorted(FOLDER.glob('*.py')), ids=lambda path: path.stem)
def test_passes_the_checks_and_is_listed(path: Path) -> None:
    config = Config.fromfile(path)
    check_config(config)
    check_config(config, ['test'])
    assert cautions(config) == []
    assert f'configs/encoder_only/{path.name}' in DOCUMENT


def test_large_builds_as_eomts_with_fewer_blocks() -> None:
    """Narrow, with its depth: 24 blocks, of which 4 take 200 queries; rates fall from block to block."""
    config = Config.fromfile(LARGE)
    init_default_scope(config.default_scope)
    model = config.model
    model.backbone.update(pretrained=None, options=dict(embed_dim=32, num_heads=2))
    model.decode_head.update(channels=32, mask_channels=32, label_spaces=[dict(name='a', classes=['sky', 'tree'])])
    model.decode_head.text.encoder = dict(type='mmlmseg.TextBankEncoder')
    built = MODELS.build(model)
    assert built.data_preprocessor.size_divisor == 16
    with torch.no_grad():
        tokens = built.extract_feat(torch.zeros(1, 3, 64, 96))
    assert len(tokens.blocks) == 4
    assert tokens.patches.shape == (1, 24, 32)
    groups = build_optim_wrapper(built, config.optim_wrapper).optimizer.param_groups
    rates = {id(p): group['lr'] for group in groups for p in group['params']}
    blocks = built.backbone.model.blocks
    assert len(blocks) == 24
    of_block = [rates[id(block.mlp.fc1.weight)] for block in blocks]
    assert of_block[-1] / of_block[-2] == pytest.approx(1 / 0.8)
    assert rates[id(built.decode_head.upscaling[0].up.weight)] == config.optim_wrapper.optimizer.lr
