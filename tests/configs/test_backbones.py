"""The configs of other backbones build, have widths that fit, and docs/backbones.md lists them and the families."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmlmseg.config_checks import cautions, check_config
from mmlmseg.config_checks.types import check_types
from mmlmseg.models.backbones import OpenClipVision, TimmBackbone
from mmlmseg.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / 'docs' / 'backbones.md').read_text(encoding='utf-8')
FOUR, THREE = 'ade20k-cityscapes-cocostuff10k-mapillary', 'ade20k-cityscapes-coco-panoptic'
LARGE = [
    f'lmseg/lmseg_clip-convnext-l_{FOUR}',
    f'resi/resi_dinov3-l16_{FOUR}',
    f'resi/resi_swin-t_{THREE}',
]
SMALL = 'lmseg/lmseg_dinov3-s16_clash5'
SPACES = [dict(name='a', classes=['sky', 'tree'])]


def load(name: str) -> Config:
    """Reads a config, with a label space and without weights or towers: nothing is downloaded here."""
    config = Config.fromfile(ROOT / 'configs' / f'{name}.py')
    init_default_scope(config.default_scope)
    config.model.decode_head.label_spaces = SPACES
    config.model.backbone.pretrained = None
    config.model.decode_head.text.encoder = dict(type='mmlmseg.TextBankEncoder')
    return config


@pytest.mark.parametrize('name', [SMALL, *LARGE])
def test_passes_the_checks_and_is_listed(name: str) -> None:
    config = Config.fromfile(ROOT / 'configs' / f'{name}.py')
    check_config(config)
    check_config(config, ['test'])
    assert cautions(config) == []
    assert f'configs/{name}.py' in DOCUMENT


@pytest.mark.parametrize('name', [SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_model_and_optimiser_build(name: str) -> None:
    config = load(name)
    model = MODELS.build(config.model)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    in_optimiser = {id(own) for group in wrapper.optimizer.param_groups for own in group['params']}
    assert in_optimiser == {id(own) for own in model.parameters() if own.requires_grad}
    assert model.backbone.frozen == ('clip-convnext' in name)
    assert model.size_divisor == 32
    with torch.no_grad():
        maps = model.extract_feat(torch.zeros(1, 3, 64, 96))
    assert [own.shape[1] for own in maps] == list(config.model.decode_head.in_channels)
    assert [tuple(own.shape[-2:]) for own in maps] == [(64 // s, 96 // s) for s in (4, 8, 16, 32)]


def test_the_means_are_those_of_the_weights() -> None:
    import timm

    for name in (SMALL, *LARGE[1:]):
        config = Config.fromfile(ROOT / 'configs' / f'{name}.py').model
        told = timm.get_pretrained_cfg(f'{config.backbone.model}.{config.backbone.pretrained or "lvd1689m"}')
        assert config.data_preprocessor.mean == pytest.approx([255 * own for own in told.mean], abs=1e-3)
        assert config.data_preprocessor.std == pytest.approx([255 * own for own in told.std], abs=1e-3)


FAMILIES = re.findall(
    r'^\| [^|]+ \| `mmlmseg\.(TimmBackbone|OpenClipVision)` `([\w-]+)` \| (\d+) \| ([^|]+) \|', DOCUMENT, re.M
)


def test_the_table_of_families_is_true() -> None:
    import timm
    from open_clip import get_model_config, list_pretrained_tags_by_model
    from open_clip.pretrained import get_pretrained_cfg

    assert len(FAMILIES) >= 9
    means = dict(CLIP=(0.48145466, 0.4578275, 0.40821073), ImageNet=(0.485, 0.456, 0.406), half=(0.5, 0.5, 0.5))
    for kind, model, stride, mean in FAMILIES:
        if kind == 'OpenClipVision':
            vision = get_model_config(model)['vision_cfg']
            assert int(stride) == vision.get('patch_size', 32)
            told = get_pretrained_cfg(model, list_pretrained_tags_by_model(model)[0])['mean']
        else:
            with torch.device('meta'):
                strides = [info['reduction'] for info in timm.create_model(model, num_classes=0).feature_info]
            assert int(stride) == max(strides), model
            told = timm.get_pretrained_cfg(timm.list_pretrained(f'{model}.*')[0]).mean
        assert told == pytest.approx(means[mean.strip()]), model


def shown(heading: str, folder: Path) -> Config:
    """What the code of a section says, behind the model and the schedule that LMSeg has."""
    section = next(own for own in DOCUMENT.split('\n## ') if own.startswith(heading))
    bases = [str(ROOT / 'configs/_base_' / own) for own in ('models/lmseg.py', 'schedules/adamw_poly_160k.py')]
    code = '\n'.join(re.findall(r'```python\n(.*?)```', section, re.DOTALL))
    (folder / 'shown.py').write_text(f'_base_ = {bases!r}\n{code}')
    return Config.fromfile(folder / 'shown.py')


@pytest.mark.parametrize('heading', ['Plain vision transformers', 'Towers of CLIP'])
def test_what_is_shown_builds(heading: str, tmp_path: Path) -> None:
    config = shown(heading, tmp_path)
    check_types(config, ['train'])
    backbone = MODELS.build({**config.model.backbone, 'pretrained': None})
    assert isinstance(backbone, (TimmBackbone, OpenClipVision))
    neck = MODELS.build(config.model.neck)
    assert neck.in_channels == backbone.out_channels[-1]
    assert [neck.out_channels] * len(neck.levels) == config.model.decode_head.in_channels


def test_the_shown_decay_is_obeyed(tmp_path: Path) -> None:
    config = shown('Learning rates by depth', tmp_path)
    check_types(config, ['train'])
    backbone = TimmBackbone('vit_small_patch14_dinov2', options=dict(embed_dim=16, depth=2, num_heads=2))
    model = torch.nn.ModuleDict(dict(backbone=backbone))
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    of = {id(own): group for group in wrapper.optimizer.param_groups for own in group['params']}
    lr, decay = config.optim_wrapper.optimizer.lr, config.optim_wrapper.optimizer.weight_decay
    told = {
        name: (
            of[id(backbone.model.get_parameter(name))]['lr'] / lr,
            of[id(backbone.model.get_parameter(name))]['weight_decay'],
        )
        for name in ('pos_embed', 'blocks.0.ls1.gamma', 'blocks.1.attn.qkv.weight')
    }
    assert told['pos_embed'] == pytest.approx((0.8**3, 0.0))
    assert told['blocks.0.ls1.gamma'] == pytest.approx((0.8**2, 0.0))
    assert told['blocks.1.attn.qkv.weight'] == pytest.approx((0.8, decay))
