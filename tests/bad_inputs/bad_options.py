"""Options that nothing reads, or that cannot be obeyed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from bad_configs import check, loader
from mmengine.config import Config
from refusals import Refusals

from mmlmseg.config_checks import check_overrides
from mmlmseg.datasets.samplers import dataset_probabilities
from mmlmseg.errors import DataError, OptionError
from mmlmseg.label_space import LabelSpaces
from mmlmseg.models.segmentors.result_options import ResultOptions
from mmlmseg.registry import MODELS

REFUSALS = Refusals()

HEAD = dict(
    type='mmlmseg.QueryHead',
    label_spaces=[dict(name='a', classes=['sky', 'tree'])],
    in_channels=[8, 8, 8, 8],
    channels=8,
    pixel_decoder=dict(type='mmdet.PixelDecoder', norm_cfg=dict(type='GN', num_groups=2)),
    queries=dict(type='mmlmseg.SharedQueries', num_queries=2),
    decoder=dict(type='mmlmseg.PlainDecoder', num_layers=1, num_heads=2, ffn_channels=8),
    classifier=dict(type='mmlmseg.LinearClassifier'),
    criterion=dict(type='mmlmseg.SetCriterion'),
)


def results(**test_cfg: Any) -> None:
    ResultOptions.from_config(test_cfg, LabelSpaces.from_config(HEAD['label_spaces']))


def training(**train_cfg: Any) -> None:
    check(train_cfg=dict(type='mmlmseg.ResumableTrainLoop', **{'max_iters': 10, **train_cfg}))


@REFUSALS.by(OptionError, 'test_cfg', "'task'", 'Did you mean: tasks')
def results_by_a_misspelt_key(folder: Path) -> None:
    results(task=['panoptic'])


@REFUSALS.by(OptionError, 'test_cfg', "mode='slide'", 'tiles=dict(size=(512, 512), overlap=128)')
def windows_as_mmseg_writes_them(folder: Path) -> None:
    results(mode='slide', crop_size=(512, 512), stride=(384, 384))


@REFUSALS.by(OptionError, 'test_cfg.tiles', "'overlaps'", 'Did you mean: overlap')
def tiles_by_a_misspelt_key(folder: Path) -> None:
    results(tiles=dict(size=(512, 512), overlaps=64))


@REFUSALS.by(OptionError, 'test_cfg.panoptic', "'objekt'", 'Did you mean: object')
def a_threshold_by_a_misspelt_key(folder: Path) -> None:
    results(panoptic=dict(objekt=0.5))


@REFUSALS.by(OptionError, "test_cfg.tasks = 'panoptic'", "['panoptic']")
def tasks_that_are_no_list(folder: Path) -> None:
    results(tasks='panoptic')


@REFUSALS.by(OptionError, "label space 'a'", "'synonym'", 'Did you mean: synonyms')
def a_misspelt_key_of_a_label_space(folder: Path) -> None:
    LabelSpaces.from_config([dict(name='a', classes=['sky'], synonym={})])


@REFUSALS.by(OptionError, 'num_heads = 3', '8 channels')
def heads_that_do_not_divide_the_channels(folder: Path) -> None:
    MODELS.build({**HEAD, 'decoder': dict(type='mmlmseg.PlainDecoder', num_heads=3)})


@REFUSALS.by(OptionError, 'optim_wrapper.paramwise_cfg', "'norm_decay'", 'Did you mean: norm_decay_mult')
def a_misspelt_key_of_the_parameters(folder: Path) -> None:
    check(optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3), paramwise_cfg=dict(norm_decay=0.0)))


@REFUSALS.by(OptionError, 'default_hooks.checkpoint.rule', 'greater')
def a_rule_that_there_is_not(folder: Path) -> None:
    check(default_hooks=dict(checkpoint=dict(type='CheckpointHook', save_best='mean/mIoU', rule='higher')))


@REFUSALS.by(OptionError, 'model.train_cfg', 'num_points', 'criterion')
def matching_as_mmdet_writes_it(folder: Path) -> None:
    backbone = dict(type='mmseg.ResNet', depth=18, base_channels=8)
    MODELS.build(
        dict(type='mmlmseg.MultiSpaceSegmentor', backbone=backbone, decode_head=HEAD, train_cfg=dict(num_points=12544))
    )


@REFUSALS.by(OptionError, 'mmlmseg.QueryHead', "'class_activaton'", 'Did you mean: class_activation')
def a_misspelt_key_of_the_head(folder: Path) -> None:
    MODELS.build({**HEAD, 'class_activaton': 'sigmoid'})


@REFUSALS.by(OptionError, 'mmlmseg.SetCriterion', "'no_object_wieght'", 'Did you mean: no_object_weight')
def a_misspelt_key_of_the_criterion(folder: Path) -> None:
    MODELS.build({**HEAD, 'criterion': dict(type='mmlmseg.SetCriterion', no_object_wieght=0.1)})


@REFUSALS.by(OptionError, 'in_channels = [8, 8, 8, 8]', '[4, 8, 8, 8]')
def channels_of_another_backbone(folder: Path) -> None:
    head = MODELS.build(HEAD)
    maps = [torch.zeros(1, channels, 2, 2) for channels in (4, 8, 8, 8)]
    head(maps, [dict(batch_input_shape=(8, 8), img_shape=(8, 8))], head.categories(['a']))


@REFUSALS.by(OptionError, 'num_queries = 0')
def no_queries(folder: Path) -> None:
    MODELS.build({**HEAD, 'queries': dict(type='mmlmseg.SharedQueries', num_queries=0)})


@REFUSALS.by(OptionError, "num_queries = {'a': 3}", 'all spaces')
def queries_by_label_space(folder: Path) -> None:
    MODELS.build({**HEAD, 'queries': dict(type='mmlmseg.LabelSpaceQueries', num_queries=dict(a=3))})


@REFUSALS.by(OptionError, 'datasets[0]', "'spilt'", 'Did you mean: split')
def a_misspelt_key_of_a_dataset(folder: Path) -> None:
    part = dict(type='mmlmseg.FolderDataset', data_root='streets', spilt='val')
    check(train_dataloader=dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=[part])))


@REFUSALS.by(OptionError, 'train_dataloader.sampler', "'ratios'", 'Did you mean: ratio')
def a_misspelt_key_of_a_sampler(folder: Path) -> None:
    check(train_dataloader={**loader(), 'sampler': dict(type='mmlmseg.PerImageSampler', ratios='size')})


@REFUSALS.by(OptionError, 'train_dataloader', "'batchsize'", 'Did you mean: batch_size')
def a_misspelt_key_of_a_loader(folder: Path) -> None:
    check(train_dataloader=loader(batchsize=8))


@REFUSALS.by(OptionError, 'val_evaluator', "'per_datasets'", 'Did you mean: per_dataset')
def a_misspelt_key_of_the_evaluator(folder: Path) -> None:
    check(val_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator', metrics=[], per_datasets={}))


@REFUSALS.by(OptionError, 'optim_wrapper', "'clip_grads'", 'Did you mean: clip_grad')
def a_misspelt_key_of_the_optimisation(folder: Path) -> None:
    check(optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3), clip_grads=dict(max_norm=1)))


@REFUSALS.by(DataError, "ratio = ['a', 'b']", 'a number')
def names_for_weights(folder: Path) -> None:
    dataset_probabilities(['a', 'b'], [1, 1], ['a', 'b'])


@REFUSALS.by(OptionError, 'train_dataloader.batch_size = 0')
def batches_of_nothing(folder: Path) -> None:
    check(train_dataloader={**loader(), 'batch_size': 0})


@REFUSALS.by(OptionError, 'train_cfg.val_interval = 0')
def a_validation_every_zero_steps(folder: Path) -> None:
    training(val_interval=0)


@REFUSALS.by(OptionError, 'train_cfg counts epochs', 'mmlmseg.PerImageSampler', 'ResumableTrainLoop')
def epochs_without_an_end(folder: Path) -> None:
    check(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2), param_scheduler=None)


@REFUSALS.by(OptionError, 'param_scheduler (PolyLR)', 'by_epoch=False')
def a_schedule_that_would_never_move(folder: Path) -> None:
    check(param_scheduler=dict(type='PolyLR', end=10))


@REFUSALS.by(OptionError, 'begins at iteration 20', 'ends at 10')
def a_schedule_behind_the_end(folder: Path) -> None:
    check(param_scheduler=[dict(type='PolyLR', begin=20, end=30, by_epoch=False)])


@REFUSALS.by(OptionError, 'optim_wrapper.optimizer.lr = -0.001')
def a_negative_rate(folder: Path) -> None:
    check(optim_wrapper=dict(optimizer=dict(type='AdamW', lr=-1e-3)))


@REFUSALS.by(OptionError, 'randomness.seed = -1')
def a_negative_seed(folder: Path) -> None:
    check(randomness=dict(seed=-1))


@REFUSALS.by(OptionError, 'default_hooks.checkpoint.interval = 0', '-1')
def checkpoints_every_zero_steps(folder: Path) -> None:
    check(default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=0)))


@REFUSALS.by(OptionError, "device = 'cuda:1'", 'CUDA_VISIBLE_DEVICES')
def a_device_in_the_config(folder: Path) -> None:
    check(device='cuda:1')


@REFUSALS.by(OptionError, 'resume_from', 'load_from')
def an_entry_of_old_configs(folder: Path) -> None:
    check(resume_from='a.pth')


@REFUSALS.by(OptionError, '--cfg-options train_dataloder.batch_size', 'Did you mean: train_dataloader')
def an_override_of_nothing(folder: Path) -> None:
    check_overrides(Config(), {'train_dataloder.batch_size': 2})
