"""Every block of docs/recipes.md trains for a few steps, as it stands there, and does what is said of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmlmseg.apis.model import build_model
from mmlmseg.checkpoint_files import read_checkpoint
from mmlmseg.config import complete_label_spaces, set_length
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.runner_options import build_runner

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / 'docs' / 'recipes.md').read_text(encoding='utf-8')
RECIPES: dict[str, list[str]] = {
    section.partition('\n')[0]: re.findall(r'```python\n(.*?)```', section, re.DOTALL)
    for section in DOCUMENT.split('\n## ')[1:]
}
PUBLISHED = 'checkpoints/mask2former_r50_coco-panoptic.pth'
BASE = """
_base_ = {demo!r}
loading = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
folder = dict(type='mmlmseg.FolderDataset', pipeline=[*loading, dict(type='PackSegInputs')])
folders = [{data!r} + name for name in ('/street', '/facade')]
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(datasets=[dict(folder, data_root=root, split='train') for root in folders]),
)
val_dataloader = dict(batch_size=2, dataset=dict(datasets=[dict(folder, data_root=r, split='val') for r in folders]))
test_dataloader = val_dataloader
default_hooks = dict(checkpoint=dict(interval=1), logger=dict(interval=1))
log_level = 'ERROR'
"""
SMALL = """
model = dict(
    backbone=dict(base_channels=8),
    decode_head=dict(
        in_channels=[8, 16, 32, 64],
        channels=32,
        queries=dict(num_queries=4),
        decoder=dict(num_layers=1, ffn_channels=32),
    ),
)
"""
VIT = """
model = dict(
    backbone=dict(
        _delete_=True,
        type='MAE',
        img_size=(64, 96),
        embed_dims=16,
        num_layers=12,
        num_heads=2,
        out_indices=[3, 5, 7, 11],
        init_values=1.0,
    ),
    neck=dict(type='Feature2Pyramid', embed_dim=16, rescales=[4, 2, 1, 0.5], norm_cfg=dict(type='BN')),
    decode_head=dict(
        in_channels=[16] * 4,
        channels=32,
        queries=dict(num_queries=4),
        decoder=dict(num_layers=1, ffn_channels=32),
    ),
)
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('recipes')
    for space in ('street', 'facade'):
        write_folder_dataset(folder / space, space, range(2), range(2, 3), size=(64, 96))
    return folder


@pytest.fixture
def published(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(ROOT / 'tests' / 'conversion' / 'published.py')


@pytest.fixture
def train(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Runner]:
    """Trains a tiny model by the config that a recipe is put behind, for some steps."""
    monkeypatch.chdir(tmp_path)

    def run(recipe: str, model: str = SMALL, steps: int = 2, scaled: bool = False, **options: Any) -> Runner:
        demo = str(ROOT / 'configs' / 'demo' / 'lmseg_demo.py')
        Path('base.py').write_text(BASE.format(demo=demo, data=str(data)) + model)
        Path('shown.py').write_text(f"_base_ = './base.py'\n{recipe}")
        config = Config.fromfile('shown.py')
        if scaled:
            set_length(config, steps)
        config.merge_from_dict({'train_cfg.max_iters': steps, 'train_cfg.val_interval': steps, **options})
        config.work_dir, config.experiment_name = 'run', tmp_path.name
        complete_label_spaces(config)
        runner = build_runner(config)
        runner.train()
        return runner

    return run


def recipe(heading: str, number: int = 0) -> str:
    return RECIPES[heading][number]


def options(runner: Runner, name: str) -> dict[str, Any]:
    """Those of the optimiser's group that a parameter is in."""
    parameter = dict(runner.model.named_parameters())[name]
    groups = runner.optim_wrapper.optimizer.param_groups
    return next(group for group in groups if any(own is parameter for own in group['params']))


def test_every_recipe_is_tried_here() -> None:
    source = Path(__file__).read_text(encoding='utf-8')
    for heading, blocks in RECIPES.items():
        for number in range(len(blocks)):
            call = f"recipe('{heading}'" + (f', {number})' if number else ')')
            assert call in source, call


def test_links_lead_somewhere() -> None:
    headings = [re.sub(r"[,']", '', heading.lower()).replace(' ', '-') for heading in RECIPES]
    assert [anchor for anchor in re.findall(r'\]\(#([^)]*)\)', DOCUMENT) if anchor not in headings] == []


def published_model(published: ModuleType, folder: Path) -> tuple[str, Any]:
    """Our Mask2Former as the model of a config, and the published one, whose file is written."""
    theirs = published.Published('mask2former')
    (folder / PUBLISHED).parent.mkdir()
    torch.save(dict(state_dict=theirs.state_dict(), meta={}), folder / PUBLISHED)
    config = published.our_config('mask2former')
    del config['decode_head']['label_spaces']
    config['backbone']['frozen_stages'] = 4
    return f'model = dict(_delete_=True, **{config!r})', theirs


def test_a_training_starts_from_a_published_model(train, published, tmp_path: Path) -> None:
    model, theirs = published_model(published, tmp_path)
    runner = train(recipe('Start from a published model'), model, **{'optim_wrapper.optimizer.lr': 1e-9})
    own = runner.model.state_dict()
    assert torch.allclose(
        own['decode_head.decoder.layers.2.image_attention.attention.in_proj_weight'],
        theirs.decode_head.transformer_decoder.layers[2].cross_attn.attn.in_proj_weight,
        atol=1e-6,
    )
    assert own['backbone.layer4.1.conv2.weight'].equal(theirs.backbone.layer4[1].conv2.weight)
    assert own['decode_head.classifier.layers.0.weight'].shape[0] != 4  # the class head starts anew


@pytest.mark.slow
def test_the_pixel_decoder_comes_alone(train, published, tmp_path: Path) -> None:
    model, theirs = published_model(published, tmp_path)
    runner = train(recipe('Start from a published model', 1), model, **{'optim_wrapper.optimizer.lr': 1e-9})
    own = dict(runner.model.decode_head.pixel_features.pixel_decoder.named_parameters())
    for name, value in theirs.decode_head.pixel_decoder.named_parameters():
        assert torch.allclose(own[name], value, atol=1e-6), name


@pytest.mark.slow
def test_a_part_is_kept(train) -> None:
    train(recipe('Keep a part as it is'), steps=1)
    Path('run/iter_1.pth').rename('start.pth')
    before = read_checkpoint('start.pth')['state_dict']
    after = train(f"{recipe('Keep a part as it is')}\nload_from = 'start.pth'").model.state_dict()
    changed = {name for name, value in after.items() if not value.equal(before[name])}
    assert changed
    assert [name for name in changed if name.startswith(('backbone.', 'decode_head.pixel_features.'))] == []


@pytest.mark.slow
def test_parts_and_layers_have_learning_rates_of_their_own(train) -> None:
    runner = train(recipe('Learning rates of parts and layers'))
    rates = [options(runner, f'backbone.{part}')['initial_lr'] for part in ('conv1.weight', 'layer1.0.conv1.weight')]
    assert rates == pytest.approx([6e-5, 6e-5 * 0.7**3])
    assert options(runner, 'decode_head.decoder.norm.weight')['initial_lr'] == pytest.approx(6e-4)
    assert len(runner.optim_wrapper.optimizer.param_groups) < 16


@pytest.mark.slow
def test_layers_of_a_vision_transformer_learn_slower_at_the_bottom(train) -> None:
    runner = train(recipe('Learning rates of parts and layers', 1), VIT)
    layers = [options(runner, f'backbone.layers.{i}.attn.proj.weight')['lr_scale'] for i in range(12)]
    assert layers == pytest.approx([0.9 ** (12 - i) for i in range(12)])


@pytest.mark.slow
def test_the_schedule_warms_up_and_ends_at_the_bottom(train) -> None:
    shown = Config.fromstring(recipe('Warm-up, then a cosine') + 'train_cfg["val_interval"] = 9', '.py')
    set_length(shown, 90)
    assert [(s.begin, s.end) for s in shown.param_scheduler] == [(0, 10), (10, 90)]
    runner = train(recipe('Warm-up, then a cosine'), steps=9, scaled=True)
    assert options(runner, 'decode_head.decoder.norm.weight')['lr'] < 6e-4 * 0.02


def test_gradients_are_accumulated(train) -> None:
    runner = train(recipe('Accumulate gradients'), steps=4)
    assert {float(own['step']) for own in runner.optim_wrapper.optimizer.state.values()} == {1.0}


@pytest.mark.slow
def test_the_saved_text_rows_are_those_of_the_averaged_weights(train) -> None:
    runner = train(recipe('Average the weights'), steps=3)
    saved = read_checkpoint('run/iter_3.pth')['state_dict']
    averaged = build_model(Config.fromfile('shown.py'), 'run/iter_3.pth')
    adapter = averaged.decode_head.text.adapter.weight
    assert not adapter.equal(runner.model.decode_head.text.adapter.weight)  # learned faster than the average
    text = averaged.decode_head.text
    with torch.no_grad():
        rows = text.rows(text.label_spaces.vocabulary)
    assert torch.allclose(saved['decode_head.text.table'], rows, atol=1e-6)


@pytest.mark.slow
def test_a_training_stops_early(train) -> None:
    runner = train(recipe('Stop early'), steps=9, **{'train_cfg.val_interval': 1, 'custom_hooks.0.min_delta': 100.0})
    assert runner.iter == 6  # five evaluations after the best one


@pytest.mark.slow
def test_a_training_is_logged_elsewhere(train, monkeypatch: pytest.MonkeyPatch) -> None:
    board, wandb, mlflow = MagicMock(), MagicMock(), MagicMock()
    mlflow.MlflowException = RuntimeError
    mlflow.get_experiment_by_name.return_value = None
    monkeypatch.setitem(sys.modules, 'wandb', wandb)
    monkeypatch.setitem(sys.modules, 'mlflow', mlflow)
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', SimpleNamespace(SummaryWriter=lambda *_: board))
    monkeypatch.setitem(sys.modules, 'tensorboardX', SimpleNamespace(SummaryWriter=lambda *_: board))
    train(recipe('Log elsewhere'))
    assert 'loss' in {call.args[0] for call in board.add_scalar.call_args_list}
    assert any('loss' in call.args[0] for call in wandb.log.call_args_list)
    assert wandb.init.call_args.kwargs['mode'] == 'offline'
    assert any('loss' in call.args[0] for call in mlflow.log_metrics.call_args_list)
    assert any('mean/mIoU' in call.args[0] for call in mlflow.log_metrics.call_args_list)
