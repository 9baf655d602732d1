"""Configs of runs: one budget and one schedule for all, other data and options, and images that are held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmlmseg.config import read_config, restrict, set_length
from mmlmseg.errors import DataError, OptionError
from mmlmseg.lab.benchmark import Benchmark, Method, Run, check_fairness, run_config
from mmlmseg.lab.benchmark.config import compose, hold_out, method_config
from mmlmseg.lab.benchmark.spec import mixed_datasets
from mmlmseg.label_space import LabelSpaces
from mmlmseg.registry import DATASETS, MODELS

LMSEG, MULTI_HEAD = 'configs/lmseg/lmseg_r18_clash5.py', 'configs/baselines/multi-head_r18_clash5.py'


@pytest.fixture
def benchmark(clash5: Path) -> Benchmark:
    read = Benchmark.from_file('tools/benchmarks/clash5_semantic.yml')
    # Without the synonyms: they are of the real classes.
    return replace(read, methods=tuple(method for method in read.methods if method.model))


def build(benchmark: Benchmark, run: Run, options: dict[str, Any] | None = None) -> Config:
    return run_config(benchmark, run, options or {}, Path('work'))


def spaces(cfg: Config) -> tuple[str, ...]:
    return LabelSpaces.from_config(cfg.model.decode_head.label_spaces).names


def test_composed_configs_are_those_of_files(clash5: Path) -> None:
    for model, file in (('lmseg_r18', LMSEG), ('maskformer_r18', MULTI_HEAD)):
        composed, written = compose(model, 'clash5'), read_config(file)
        written.model.decode_head.pop('label_spaces', None)  # which follow from the data
        assert composed.to_dict() == written.to_dict()
        assert composed.filename == f'{model}_clash5.py'


def test_data_say_what_a_composed_model_makes(clash5: Path) -> None:
    cfg = compose('resi_r18', 'mixed_streets')
    assert cfg.model.test_cfg == dict(tasks=['semantic', 'panoptic'], panoptic=dict(object=0.5, overlap=0.8))
    assert (cfg.default_hooks.checkpoint.interval, cfg.default_hooks.checkpoint.save_best) == (250, 'streets/PIQ')
    assert (cfg.model.decode_head.queries.type, cfg.optim_wrapper.optimizer.lr) == ('mmlmseg.LabelSpaceQueries', 3e-4)
    cfg.model.test_cfg.panoptic.object = 0.0
    assert cfg.results.panoptic.object == 0.5
    for names, message in (
        (('resi_r81', 'clash5'), r'resi_r81\.py: no such config file\. Did you mean: resi_r18\.py'),
        (('resi_r18', 'clash'), r'clash\.py: no such config file\. Did you mean: clash5\.py'),
    ):
        with pytest.raises(OptionError, match=message):
            compose(*names)


def test_every_choice_of_a_learning_rate_is_planned(clash5: Path) -> None:
    read = Benchmark.from_file('tools/benchmarks/clash5_learning-rate.yml')
    check_fairness(read)
    tuning = [run for run in read.runs() if run.choice is not None]
    assert [run.method.name for run in tuning] == ['LMSeg', 'multi-head'] * 3
    for run in tuning:
        cfg = build(read, run, dict(read.choices[run.choice or 0]))
        assert cfg.optim_wrapper.optimizer.lr == (1.5e-4, 3e-4, 6e-4)[run.choice or 0]
        assert {part['split'] for part in cfg.val_dataloader.dataset.datasets} == {'train'}
        assert {part['indices'] for part in cfg.val_dataloader.dataset.datasets} == {-2}
    final = build(read, read.runs()[-1])
    assert {part.split for part in final.val_dataloader.dataset.datasets} == {'val'}


def test_the_main_table_is_fair_and_goes_seed_by_seed(clash5: Path) -> None:
    read = Benchmark.from_file('tools/benchmarks/clash5_main.yml')
    assert [run.seed for run in read.runs()] == [seed for seed in (0, 1, 2) for _ in range(13)]
    read = replace(read, methods=tuple(own for own in read.methods if 'synonyms' not in own.name))  # of other classes
    check_fairness(read)
    built = {run.name: build(read, run) for run in read.runs()[:12]}
    whole, single = built['lmseg_seed0'], built['maskformer_ccp_seed0']
    assert (whole.train_cfg.max_iters, single.train_cfg.max_iters) == (1500, 300)
    assert {(cfg.optim_wrapper.type, cfg.model.precision) for cfg in built.values()} == {('OptimWrapper', 'auto')}
    unguided = built['lmseg-without-category-guidance_seed0']
    assert unguided.model.decode_head.decoder.type == 'mmlmseg.PlainDecoder'
    assert unguided.train_dataloader == whole.train_dataloader
    alike = built['lmseg-without-dataset-aware-augmentation_seed0']
    pipelines = [part.pipeline for part in alike.train_dataloader.dataset.datasets]
    assert pipelines == [whole.train_dataloader.dataset.datasets[2].pipeline] * 5
    assert alike.model == whole.model


def test_every_run_of_clash5_is_fair(benchmark: Benchmark) -> None:
    built = [(run, build(benchmark, run)) for run in benchmark.runs()]
    reference = built[0][1]
    for run, cfg in built:
        names = list(run.trained)
        assert [cfg[f'{part}_dataloader'].dataset.names for part in ('train', 'val', 'test')] == [names] * 3
        assert list(spaces(cfg)) == names
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
        assert model.decode_head.label_spaces.names == run.trained
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
        assert cfg.train_cfg.val_interval == run.iterations // (1 if tuning else 3)
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


def test_missing_data_are_named_before_the_first_run(
    benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('MMLMSEG_DATA', str(tmp_path / 'nowhere'))
    with pytest.raises(DataError, match='nowhere/camvid11: no such folder'):
        check_fairness(benchmark)


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
    wanted = (
        rf"'rival' \({MULTI_HEAD}\) and 'LMSeg' \({LMSEG}\) differ in {key}; a comparison needs the same for all, or"
    )
    with pytest.raises(OptionError, match=wanted):
        check_fairness(replace(benchmark, methods=methods))
    check_fairness(replace(benchmark, methods=methods, differing=(key,)))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(differing=('model.backbones',)), r"'model\.backbones' is none of the .* Did you mean: model\.backbone"),
        (dict(methods=(Method('LMSeg', 'configs/lmseg/lmseg_r18_clash6.py'),)), 'no such config file. Did you mean'),
        (dict(datasets=('camvid',)), "has no dataset 'camvid', only .* Did you mean: camvid11"),
        (dict(datasets=('ccp',), scored=('ccp', 'camvid11')), 'no dataset to train on has the label space of camvid11'),
        (dict(datasets=('ccp',), also=('camvid11/mIoU',)), 'no dataset to train on has the label space of camvid11'),
        (
            dict(data='clash6', methods=(Method('LMSeg', model='lmseg_r18'),)),
            r'clash6\.py: no such config file. Did you',
        ),
        (
            dict(choices=({}, {'model.decode_head.text.tau': 1})),
            'maskformer_r18_clash5.py: has no model.decode_head.text',
        ),
    ],
)
def test_what_cannot_be_done_is_said_before_the_first_run(
    benchmark: Benchmark, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        check_fairness(replace(benchmark, **changes))


def folders(dataset: Any) -> list[str]:
    return [Path(part.data_root).name for part in dataset.datasets]


def images(dataset: Any, name: str) -> list[str]:
    """The images of one of the datasets, by the stems of their files."""
    part = DATASETS.build({**dataset.datasets[dataset.names.index(name)], 'serialize_data': False})
    return [Path(part.get_data_info(i)['img_path']).stem for i in range(len(part))]


@pytest.fixture
def cfg(clash5: Path) -> Config:
    cfg = read_config(LMSEG)
    cfg.model.decode_head.label_spaces = list(cfg.folders)
    return cfg


def test_some_datasets_in_the_asked_order(cfg: Config) -> None:
    restrict(cfg, ['ccp', 'camvid11', 'msrc_v2'], ['msrc_v2', 'ccp'])
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert train.names == folders(train) == ['ccp', 'camvid11', 'msrc_v2']
    assert val.names == folders(val) == ['msrc_v2', 'ccp']
    assert {part.split for part in train.datasets} == {'train'}
    assert {part.split for part in val.datasets} == {'val'}
    assert spaces(cfg) == ('camvid11', 'msrc_v2', 'ccp')  # in the order of the model


def test_datasets_that_share_a_label_space(cfg: Config, clash5: Path) -> None:
    """Two that are trained on, one of which is scored, and one that is only asked."""
    street = dict(metainfo=dict(label_space='camvid11'))
    for loader, names in ((cfg.train_dataloader, ['a', 'b', 'ccp']), (cfg.val_dataloader, ['a', 'b', 'ccp', 'new'])):
        first, last = loader.dataset.datasets[0], loader.dataset.datasets[-1]
        loader.dataset.datasets = [first, {**first, **street}, last, {**first, **street}][: len(names)]
        loader.dataset.names = names
    own = Config(cfg.to_dict(), filename=cfg.filename)
    restrict(cfg, ['a', 'b', 'ccp'], ['b', 'new', 'ccp'])
    assert cfg.train_dataloader.dataset.names == ['a', 'b', 'ccp']
    assert cfg.val_dataloader.dataset.names == ['b', 'new', 'ccp']
    assert spaces(cfg) == ('camvid11', 'ccp')
    restrict(own, ['ccp'], ['ccp', 'new'])  # whose label space this model does not know
    assert own.val_dataloader.dataset.names == ['ccp']
    assert spaces(own) == ('ccp',)


def test_thresholds_of_other_label_spaces_go(cfg: Config) -> None:
    per_space = dict(ccp=dict(object=0.7), camvid11=dict(object=0.6))
    cfg.merge_from_dict({'model.test_cfg': dict(panoptic=dict(object=0.8, per_space=per_space))})
    restrict(cfg, ['ccp'], ['ccp'])
    assert cfg.model.test_cfg.panoptic == dict(object=0.8, per_space=dict(ccp=dict(object=0.7)))


def test_mixed_datasets_go_to_models_of_all_their_spaces(mixed: Benchmark) -> None:
    """And metrics of single datasets go with them."""
    for trained, scored, metrics in (
        (['camvid11', 'labelmefacade'], ['camvid11', 'both'], ['both']),
        (['labelmefacade', 'ccp'], ['labelmefacade', 'ccp'], ['ccp']),
        (['camvid11'], ['camvid11'], []),
        (['ccp', 'labelmefacade', 'camvid11'], ['labelmefacade', 'both', 'ccp'], ['both', 'ccp']),
    ):
        cfg = read_config(mixed.methods[0].config)
        names = [*cfg.val_dataloader.dataset.names, 'b']
        assert mixed_datasets(cfg, names) == ('both',)
        restrict(cfg, trained, list(dict.fromkeys([*scored, 'both'])))
        assert cfg.val_dataloader.dataset.names == scored
        assert sorted(cfg.val_evaluator.per_dataset) == metrics
    hold_out(cfg)
    assert cfg.val_dataloader.dataset.names == ['ccp', 'labelmefacade']
    assert list(cfg.val_evaluator.per_dataset) == ['ccp']


def test_names_that_are_not_there(cfg: Config) -> None:
    with pytest.raises(OptionError, match=rf"{LMSEG}: has no dataset 'camvid', only .*\. Did you mean: camvid11"):
        restrict(cfg, ['camvid'], ['camvid'])
    cfg.model.decode_head.label_spaces = cfg.model.decode_head.label_spaces[:2]
    with pytest.raises(OptionError, match=rf'{LMSEG}: its model has no label space ccp: camvid11, labelmefacade'):
        restrict(cfg, ['ccp', 'camvid11'], ['ccp'])


def held_out(cfg: Config) -> list[tuple[list[str], list[str]]]:
    """For each training dataset, the images that are trained on, and those that are scored."""
    hold_out(cfg)
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert set(val.names) <= set(train.names)
    return [(images(train, name), images(val, name) if name in val.names else []) for name in train.names]


def listed(folder: Path) -> list[str]:
    return (folder / 'train.txt').read_text().split()


def test_a_fifth_is_held_out(cfg: Config, clash5: Path) -> None:
    pipeline = cfg.val_dataloader.dataset.datasets[0].pipeline
    restrict(cfg, ['ccp', 'camvid11', 'msrc_v2'], ['camvid11', 'ccp'])
    split = held_out(cfg)
    for name, (trained, scored) in zip(['ccp', 'camvid11', 'msrc_v2'], split, strict=True):
        everything = listed(clash5 / name)
        assert trained == everything[:10]
        assert scored == (everything[10:] if name != 'msrc_v2' else [])
    assert all(part['pipeline'] == pipeline for part in cfg.val_dataloader.dataset.datasets)
    assert 'mmlmseg.RandomCrop' in [step.type for step in cfg.train_dataloader.dataset.datasets[0].pipeline]


def test_of_a_dataset_in_parts_a_fifth_of_each_is_held_out(cfg: Config, clash5: Path) -> None:
    restrict(cfg, ['ccp'], ['ccp'])
    (part,) = cfg.train_dataloader.dataset.datasets
    halves = [dict(part, indices=list(indices)) for indices in (range(6), range(6, 12))]
    cfg.train_dataloader.dataset.datasets = [dict(type='ConcatDataset', datasets=halves)]
    hold_out(cfg)
    (trained,), (scored,) = cfg.train_dataloader.dataset.datasets, cfg.val_dataloader.dataset.datasets
    assert [own.indices for own in trained.datasets] == [[0, 1, 2, 3, 4], [6, 7, 8, 9, 10]]
    assert [own.indices for own in scored.datasets] == [[5], [11]]
    init_default_scope('mmseg')
    assert len(DATASETS.build(cfg.val_dataloader.dataset)) == 2


@pytest.mark.parametrize(
    ('indices', 'taken'), [(10, range(10)), (-5, range(7, 12)), ([3, 1, 11, 5, 7, 2], [3, 1, 11, 5, 7, 2])]
)
def test_of_a_part_of_the_images_a_fifth_is_held_out(cfg: Config, clash5: Path, indices: Any, taken: Any) -> None:
    restrict(cfg, ['ccp'], ['ccp'])
    cfg.train_dataloader.dataset.datasets[0].indices = indices
    expected = [listed(clash5 / 'ccp')[i] for i in taken]
    last = len(expected) // 5
    assert held_out(cfg) == [(expected[:-last], expected[-last:])]


def test_below_a_wrapper_and_of_a_dataset_that_is_also_scored(cfg: Config, clash5: Path) -> None:
    """One config may stand in several places: what is done in one must not show in the other."""
    restrict(cfg, ['ccp'], ['ccp'])
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    val.datasets = list(train.datasets)
    train.datasets = [dict(type='RepeatDataset', times=2, dataset=train.datasets[0])]
    hold_out(cfg)
    everything = listed(clash5 / 'ccp')
    repeated = DATASETS.build(train).datasets[0]
    assert [Path(repeated.get_data_info(i)['img_path']).stem for i in range(len(repeated))] == everything[:10] * 2
    assert images(val, 'ccp') == everything[10:]


def test_types_of_mmseg_need_no_prefix(cfg: Config, clash5: Path) -> None:
    ccp = dict(
        type='BaseSegDataset',
        data_root=str(clash5 / 'ccp'),
        ann_file='train.txt',
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        metainfo=dict(label_space='ccp', classes=['a']),
        pipeline=[],
    )
    restrict(cfg, ['ccp'], ['ccp'])
    cfg.train_dataloader.dataset.datasets = [ccp]
    init_default_scope('mmengine')  # no run has begun yet
    assert [len(own) for own in held_out(cfg)[0]] == [10, 2]


def test_too_few_images(cfg: Config) -> None:
    restrict(cfg, ['ccp'], ['ccp'])
    cfg.train_dataloader.dataset.datasets[0].indices = 4
    with pytest.raises(DataError, match="dataset 'ccp': 4 training images are too few to hold out one of 5"):
        hold_out(cfg)


@pytest.mark.parametrize('name', ['camvid11', 'ccp'])
def test_a_dataset_that_is_left_out_is_asked_by_its_class_names(clash5: Path, name: str) -> None:
    left_out = Benchmark.from_file(f'tools/benchmarks/leave_one_out_{name}.yml')
    check_fairness(left_out)
    (run, _) = left_out.final_runs()
    assert run.scored == (name,)
    cfg = build(left_out, run)
    assert cfg.train_dataloader.dataset.names == list(left_out.datasets)
    assert set(cfg.val_dataloader.dataset.names) == {name, *left_out.datasets}
    assert spaces(cfg) == (*left_out.datasets, name)
    images = DATASETS.build(cfg.train_dataloader.dataset)
    assert not any(own.name == name for part in images.spaces for own in part)


def test_models_that_cannot_be_asked_for_what_is_left_out_are_refused(clash5: Path) -> None:
    left_out = Benchmark.from_file('tools/benchmarks/leave_one_out_ccp.yml')
    for model in ('maskformer_r18', 'resi_r18'):
        other = replace(left_out, methods=(Method('LMSeg', model=model),))
        with pytest.raises(OptionError, match="'LMSeg' .* cannot be asked for ccp"):
            check_fairness(other)
