"""Configs of runs: one budget and one schedule for all, with the options of benchmark, method and choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmlmseg.config import set_length
from mmlmseg.errors import OptionError
from mmlmseg.lab.benchmark import Benchmark, Method, Run, check_fairness, run_config
from mmlmseg.lab.benchmark.config import method_config
from mmlmseg.registry import DATASETS, MODELS

LMSEG, MULTI_HEAD = 'configs/lmseg/lmseg_r18_clash5.py', 'configs/baselines/multi-head_r18_clash5.py'


@pytest.fixture
def benchmark(clash5: Path) -> Benchmark:
    read = Benchmark.from_file('tools/benchmarks/clash5_semantic.yml')
    # Without the synonyms: they are of the real classes.
    return replace(read, methods=tuple(method for method in read.methods if 'synonyms' not in method.config))


def build(benchmark: Benchmark, run: Run, options: dict[str, Any] | None = None) -> Config:
    return run_config(benchmark, run, options or {}, Path('work'))


def test_every_run_of_clash5_is_fair(benchmark: Benchmark) -> None:
    built = [(run, build(benchmark, run)) for run in benchmark.runs()]
    reference = built[0][1]
    for run, cfg in built:
        names = list(benchmark.trained_on(run))
        assert [cfg[f'{part}_dataloader'].dataset.names for part in ('train', 'val', 'test')] == [names] * 3
        assert [Path(space).name for space in cfg.model.decode_head.label_spaces] == names
        assert cfg.work_dir == f'work/{run.name}'
        length = 300 if run.dataset else 1500
        assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval) == (length, length // 3)
        assert cfg.param_scheduler == {**reference.param_scheduler, 'end': length}
        assert cfg.optim_wrapper == reference.optim_wrapper
        assert cfg.optim_wrapper.type == 'mmlmseg.BFloat16OptimWrapper'
        assert cfg.model.backbone == reference.model.backbone
        assert cfg.train_dataloader.batch_size == 8
        joint = reference.train_dataloader.dataset
        assert cfg.train_dataloader.dataset.datasets == [joint.datasets[joint.names.index(name)] for name in names]
        assert cfg.default_hooks.checkpoint.save_best is None
        assert cfg.randomness.seed == 0


def test_every_method_of_clash5_builds(benchmark: Benchmark, tmp_path: Path) -> None:
    kinds = {}
    for run in [*benchmark.runs()][:4]:
        cfg = build(benchmark, run)
        init_default_scope(cfg.default_scope)
        model = MODELS.build(cfg.model)
        assert model.decode_head.label_spaces.names == benchmark.trained_on(run)
        kinds[run.name] = type(model.decode_head.classifier).__name__
    assert kinds == {
        'lmseg_seed0': 'TextClassifier',
        'multi-head_seed0': 'LinearClassifier',
        'manual-taxonomy_seed0': 'UnifiedClassifier',
        'maskformer_camvid11_seed0': 'LinearClassifier',
    }
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        assert DATASETS.build(loader.dataset).names == ['camvid11']
    cfg.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').train_dataloader == cfg.train_dataloader


def test_tuning_sees_no_validation_image(benchmark: Benchmark) -> None:
    tuned = replace(
        benchmark, datasets=('ccp', 'camvid11'), methods=benchmark.methods[::3], choices=({}, {}), seeds=(3,)
    )
    for run in tuned.runs():
        cfg = build(tuned, run)
        assert cfg.randomness.seed == 3
        tuning = run.choice is not None
        assert cfg.train_cfg.val_interval == tuned.length_of(run) // (1 if tuning else 3)
        for part in cfg.train_dataloader.dataset.datasets:
            assert (part.split, part.get('indices')) == ('train', 10 if tuning else None)
        for part in cfg.val_dataloader.dataset.datasets:
            assert (part['split'], part.get('indices')) == (('train', -2) if tuning else ('val', None))


def test_the_later_options_win_and_stay_as_they_are(benchmark: Benchmark) -> None:
    schedule = {'param_scheduler': dict(_delete_=True, type='ConstantLR', factor=0.1)}
    method = Method('m', LMSEG, options={**schedule, 'train_dataloader.num_workers': 1})
    common = {'train_dataloader.num_workers': 0, 'train_dataloader.batch_size': 4, 'default_hooks.logger.interval': 7}
    choice = {'train_dataloader.batch_size': 2}
    for _ in range(2):
        cfg = method_config(replace(benchmark, options=common), method, choice)
        assert cfg.param_scheduler == dict(type='ConstantLR', factor=0.1)
        assert (cfg.train_dataloader.num_workers, cfg.train_dataloader.batch_size) == (1, 2)
        assert cfg.default_hooks.logger.interval == 7


def test_options_reach_into_lists_and_set_what_is_none(benchmark: Benchmark) -> None:
    key = 'train_dataloader.dataset.datasets.1.pipeline.0.type'
    cfg = method_config(benchmark, Method('m', LMSEG), {key: 'Other', 'load_from': 'weights.pth'})
    assert [d.pipeline[0].type for d in cfg.train_dataloader.dataset.datasets][:2] == ['LoadImageFromFile', 'Other']
    assert cfg.load_from == 'weights.pth'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'optim_wraper.type': 'X'},
            f'{LMSEG}: has no optim_wraper, but clash5_semantic has the option optim_wraper.type',
        ),
        ({'optim_wraper': {}}, f'{LMSEG}: has no optim_wraper'),
        ({'optim_wrapper.optimiser.lr': 1}, f'{LMSEG}: has no optim_wrapper.optimiser'),
        ({'train_dataloader.dataset.datasets.9.split': 'x'}, 'has no train_dataloader.dataset.datasets.9'),
        ({'train_dataloader.batch_size.x': 1}, 'has no train_dataloader.batch_size,'),
        ({'train_cfg.max_iters': 3}, 'clash5_semantic: train_cfg.max_iters is no option'),
        ({'randomness.seed': 3}, 'randomness.seed is no option'),
    ],
)
def test_options_that_no_config_has(benchmark: Benchmark, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        method_config(benchmark, Method('m', LMSEG), options)


def test_the_schedule_keeps_its_shape() -> None:
    cfg = Config(
        dict(
            train_cfg=dict(max_iters=1000, val_interval=100),
            param_scheduler=[
                dict(type='LinearLR', begin=0, end=100, by_epoch=False),
                dict(type='mmengine.PolyLR', power=0.9, begin=100, end=1000, by_epoch=False),
                dict(type='MultiStepLR', milestones=[500, 800], gamma=0.1),
                dict(type='CosineAnnealingLR', T_max=900, begin=100),
            ],
            default_hooks=dict(checkpoint=dict(interval=50)),
        )
    )
    set_length(cfg, iterations=300, readings=3)
    assert cfg.train_cfg == dict(max_iters=300, val_interval=100)
    assert cfg.param_scheduler == [
        dict(type='LinearLR', begin=0, end=30, by_epoch=False),
        dict(type='mmengine.PolyLR', power=0.9, begin=30, end=300, by_epoch=False),
        dict(type='MultiStepLR', milestones=[150, 240], gamma=0.1),
        dict(type='CosineAnnealingLR', T_max=270, begin=30),
    ]
    assert cfg.default_hooks.checkpoint.interval == 50
    set_length(cfg, iterations=90, readings=3)
    assert cfg.default_hooks.checkpoint.interval == 30
    constant = Config(dict(train_cfg=dict(max_iters=9), default_hooks=dict(checkpoint=dict(interval=1))))
    set_length(constant, iterations=3, readings=1)
    assert constant.train_cfg == dict(max_iters=3, val_interval=3)


def test_fair_benchmarks_pass(benchmark: Benchmark) -> None:
    check_fairness(replace(benchmark, choices=({'optim_wrapper.optimizer.lr': 1e-3}, {})))


def test_runs_of_a_mixed_benchmark(mixed: Benchmark) -> None:
    check_fairness(mixed)
    joint, street, facade, union = (build(mixed, run) for run in mixed.runs())
    assert joint.val_dataloader.dataset.names == ['both', 'camvid11']
    assert street.val_dataloader.dataset.names == ['camvid11']
    assert facade.val_dataloader is facade.val_evaluator is facade.val_cfg is facade.test_dataloader is None
    assert union.val_dataloader.dataset.names == union.test_dataloader.dataset.names == ['both']
    assert [cfg.train_cfg.max_iters for cfg in (joint, street, facade, union)] == [4, 2, 2, 4]
    assert union.model.members == [street.model, facade.model]
    assert union.load_from is None
    init_default_scope(union.default_scope)
    model = MODELS.build(union.model)
    assert model.label_spaces.names == mixed.datasets
    (scored,) = DATASETS.build(union.val_dataloader.dataset).datasets
    assert tuple(space.name for space in scored.spaces) == mixed.datasets


def test_models_of_one_label_space_cannot_answer_together(mixed: Benchmark) -> None:
    for method in mixed.methods:
        with Path(method.config).open('a') as file:
            file.write('first, second = _base_.train_dataloader.dataset.datasets[:2]\n')
            file.write("names = ['camvid11', 'again', 'labelmefacade']\n")
            file.write('train_dataloader = dict(dataset=dict(names=names, datasets=[first, first, second]))\n')
    with pytest.raises(OptionError, match=r'singles\.py: several datasets have the label space camvid11, so'):
        check_fairness(replace(mixed, datasets=('camvid11', 'again', 'labelmefacade')))


@pytest.mark.parametrize(
    ('option', 'key'),
    [
        ({'model.backbone.depth': 50}, 'model.backbone'),
        ({'optim_wrapper.optimizer.lr': 1.0}, 'optim_wrapper.optimizer'),
        ({'param_scheduler.power': 1.0}, 'param_scheduler'),
        ({'train_dataloader.batch_size': 16}, 'train_dataloader.batch_size'),
        ({'val_dataloader.dataset.datasets.0.pipeline.0': dict(type='X')}, 'val_dataloader.dataset'),
    ],
)
def test_methods_under_other_conditions(benchmark: Benchmark, option: dict[str, Any], key: str) -> None:
    methods = (Method('LMSeg', LMSEG), Method('rival', MULTI_HEAD, alone=True, options=option))
    wanted = rf"'rival' \({MULTI_HEAD}\) and 'LMSeg' \({LMSEG}\) differ in {key}; a comparison needs the same for all"
    with pytest.raises(OptionError, match=wanted):
        check_fairness(replace(benchmark, methods=methods))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(methods=(Method('LMSeg', 'configs/lmseg/lmseg_r18_clash6.py'),)), 'no such config file. Did you mean'),
        (dict(datasets=('camvid',)), "has no dataset 'camvid', only .* Did you mean: camvid11"),
        (dict(datasets=('ccp',), scored=('ccp', 'camvid11')), 'no dataset to train on has the label space of camvid11'),
        (dict(datasets=('ccp',), also=('camvid11/mIoU',)), 'no dataset to train on has the label space of camvid11'),
        (dict(choices=({}, {'model.decode_head.text.tau': 1})), f'{MULTI_HEAD}: has no model.decode_head.text'),
    ],
)
def test_what_cannot_be_done_is_said_before_the_first_run(
    benchmark: Benchmark, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        check_fairness(replace(benchmark, **changes))
