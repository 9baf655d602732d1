"""Configs that cannot be read, or cannot be run as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from refusals import Refusals

from mmlmseg.config import read_config
from mmlmseg.config_checks import check_config, require
from mmlmseg.datasets.folder import read_split
from mmlmseg.errors import CheckpointError, DataError, LabelSpaceError, OptionError

REFUSALS = Refusals()

STEPS = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadAnnotations'), dict(type='PackSegInputs')]


def loader(**more: Any) -> dict[str, Any]:
    part = dict(type='mmlmseg.FolderDataset', data_root='streets', pipeline=STEPS)
    sampler = dict(type='mmlmseg.PerImageSampler')
    return dict(batch_size=2, sampler=sampler, dataset=dict(type='mmlmseg.MultiDataset', datasets=[part]), **more)


def check(**entries: Any) -> None:
    """Checks a config of a training that is right but for the entries."""
    whole = dict(
        train_dataloader=loader(),
        train_cfg=dict(type='mmlmseg.ResumableTrainLoop', max_iters=10, val_interval=5),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)),
        param_scheduler=dict(type='PolyLR', end=10, by_epoch=False),
        val_dataloader={**loader(), 'sampler': dict(type='DefaultSampler', shuffle=False)},
        val_cfg=dict(type='ValLoop'),
        val_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIoU')),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=5, save_best='mean/mIoU')),
    )
    check_config(Config({**whole, **entries}))


def read(folder: Path, text: str, base: str = '') -> None:
    (folder / 'base.py').write_text(base)
    (folder / 'config.py').write_text(text)
    read_config(folder / 'config.py')


@REFUSALS.by(OptionError, 'config.py, line 2', 'was never closed')
def a_bracket_that_is_not_closed(folder: Path) -> None:
    read(folder, 'a = 1\nb = dict(\n')


@REFUSALS.by(OptionError, 'base.py, line 1', 'was never closed')
def a_bracket_of_the_base_that_is_not_closed(folder: Path) -> None:
    read(folder, "_base_ = 'base.py'\n", 'b = [\n')


@REFUSALS.by(OptionError, 'config.py', 'nowhere.py', '_base_')
def a_base_that_is_not_there(folder: Path) -> None:
    read(folder, "_base_ = './nowhere.py'\n")


@REFUSALS.by(OptionError, 'config.py, line 2', 'pipelin')
def a_name_that_the_base_lacks(folder: Path) -> None:
    read(folder, "_base_ = 'base.py'\nsteps = _base_.pipelin\n", 'pipeline = []\n')


@REFUSALS.by(OptionError, 'config.json', 'JSONDecodeError')
def a_json_config_that_was_cut_off(folder: Path) -> None:
    (folder / 'config.json').write_text('{"model": ')
    read_config(folder / 'config.json')


@REFUSALS.by(DataError, 'train.txt', 'UTF-8')
def a_list_of_samples_in_utf_16(folder: Path) -> None:
    (folder / 'train.txt').write_bytes('scene_1\r\n'.encode('utf-16'))
    read_split(folder / 'train.txt')


@REFUSALS.by(OptionError, 'no model', 'Did you mean: modell')
def no_model(folder: Path) -> None:
    require(Config(dict(modell={})), 'train')


@REFUSALS.by(OptionError, 'train_cfg, optim_wrapper', 'no train_dataloader')
def a_training_without_loader(folder: Path) -> None:
    check(train_dataloader=None)


@REFUSALS.by(OptionError, 'val_dataloader', 'no val_cfg')
def a_validation_without_loop(folder: Path) -> None:
    check(val_cfg=None)


@REFUSALS.by(OptionError, 'optim_wrapper.optimizer', 'AdamX', 'Adamax')
def an_optimiser_that_there_is_not(folder: Path) -> None:
    check(optim_wrapper=dict(optimizer=dict(type='AdamX', lr=1e-3)))


@REFUSALS.by(OptionError, 'custom_hooks[0]', 'EMAhook', 'EMAHook')
def a_hook_that_there_is_not(folder: Path) -> None:
    check(custom_hooks=[dict(type='EMAhook')])


@REFUSALS.by(OptionError, 'datasets[0].pipeline[1]', 'LoadAnotations', 'LoadAnnotations')
def a_transform_that_there_is_not(folder: Path) -> None:
    pipeline = [STEPS[0], dict(type='LoadAnotations'), STEPS[2]]
    part = dict(type='mmlmseg.FolderDataset', data_root='streets', pipeline=pipeline)
    check(train_dataloader=dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=[part])))


@REFUSALS.by(OptionError, 'datasets[0]', 'mmlmseg.FolderDatset', 'mmlmseg.FolderDataset')
def a_dataset_that_there_is_not(folder: Path) -> None:
    part = dict(type='mmlmseg.FolderDatset', data_root='streets', pipeline=STEPS)
    check(val_dataloader=dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=[part])))


@REFUSALS.by(OptionError, 'val_evaluator.metrics', 'mmlmseg.SemanticIou', 'mmlmseg.SemanticIoU')
def a_metric_that_there_is_not(folder: Path) -> None:
    check(val_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIou')))


@REFUSALS.by(OptionError, 'val_evaluator', 'no metrics', 'SemanticIoU')
def an_evaluator_without_metrics(folder: Path) -> None:
    check(val_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator'))


@REFUSALS.by(OptionError, 'save_best', 'mean/mIou', 'Did you mean: mean/mIoU')
def a_best_checkpoint_by_a_score_that_there_is_not(folder: Path) -> None:
    check(default_hooks=dict(checkpoint=dict(type='CheckpointHook', save_best='mean/mIou')))


@REFUSALS.by(OptionError, 'val_dataloader', "dataset 'streets'", 'LoadAnnotations')
def a_validation_without_labels(folder: Path) -> None:
    part = dict(type='mmlmseg.FolderDataset', data_root='streets', pipeline=[STEPS[0], STEPS[2]])
    check(val_dataloader=dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=[part])))


@REFUSALS.by(OptionError, 'train_dataloader', "dataset 'streets'", 'PackSegInputs')
def a_pipeline_that_packs_nothing(folder: Path) -> None:
    part = dict(type='mmlmseg.FolderDataset', data_root='streets', pipeline=STEPS[:2])
    check(train_dataloader={**loader(), 'dataset': dict(type='mmlmseg.MultiDataset', datasets=[part])})


@REFUSALS.by(CheckpointError, 'model.backbone.init_cfg.checkpoint', 'r50.pth', 'Did you mean: r50_v2.pth')
def a_backbone_from_a_file_that_is_not_there(folder: Path) -> None:
    (folder / 'r50_v2.pth').touch()
    init_cfg = dict(type='Pretrained', checkpoint=str(folder / 'r50.pth'))
    head = dict(type='FCNHead', in_channels=1, channels=1, num_classes=2)
    backbone = dict(type='ResNet', depth=50, init_cfg=init_cfg)
    check(model=dict(type='mmlmseg.MultiSpaceSegmentor', backbone=backbone, decode_head=head))


@REFUSALS.by(OptionError, 'model (mmlmseg.MultiSpaceSegmentor)', 'no backbone')
def a_model_without_backbone(folder: Path) -> None:
    check(model=dict(type='mmlmseg.MultiSpaceSegmentor'))


@REFUSALS.by(OptionError, 'train_dataloader.dataset.datasets[0]', 'FolderDataset', 'no data_root')
def a_dataset_without_folder(folder: Path) -> None:
    check(
        train_dataloader=dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=[dict(type='mmlmseg.FolderDataset')]))
    )


@REFUSALS.by(OptionError, 'train_dataloader', 'no sampler', 'PerImageSampler')
def a_training_in_the_order_of_the_list(folder: Path) -> None:
    check(train_dataloader={**loader(), 'sampler': None})


@REFUSALS.by(OptionError, "custom_hooks[0] = 'EMAHook'", 'a dict')
def a_hook_by_its_name_alone(folder: Path) -> None:
    check(custom_hooks=['EMAHook'])


@REFUSALS.by(LabelSpaceError, "label_spaces = 'streets'", 'a list')
def label_spaces_that_are_no_list(folder: Path) -> None:
    from mmlmseg.label_space import LabelSpaces

    LabelSpaces.from_config('streets')
