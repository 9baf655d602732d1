from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmengine.config import Config

from mmlmseg import cli
from mmlmseg.errors import CheckpointError, DataError, OptionError
from mmlmseg.registry import MODELS

Parse = Callable[..., argparse.Namespace]
SCORED = ('val', 'test')


@pytest.fixture
def parse(load_script: Callable[[Path], ModuleType]) -> Parse:
    script = load_script(Path(__file__).resolve().parents[1] / 'tools' / 'common_arguments.py')

    def read(*words: str) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        script.add_common_arguments(parser)
        return parser.parse_args(list(words))

    return read


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('LOCAL_RANK', '0')
    path = tmp_path / 'small.py'
    path.write_text(
        "model = dict(type='ReLU', inplace=True)\n"
        "optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD'))\n"
        "train_dataloader = dict(batch_size=1, shuffle=True, dataset=dict(type='CityscapesDataset'))\n"
        'train_cfg = dict(max_iters=9)\n'
    )
    return path


def test_options_override_the_config(parse: Parse, config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, 'join_processes', lambda cfg: None)
    cfg = cli.load_config(parse(str(config_file), '--cfg-options', 'model.inplace=False', '--launcher', 'slurm'))
    assert not cfg.model.inplace
    assert cfg.launcher == 'slurm'
    assert Path(cfg.work_dir) == Path('work_dirs/small')
    assert cli.load_config(parse(str(config_file), '--work-dir', 'here')).work_dir == 'here'


def test_datasets_and_length_after_the_other_options(
    parse: Parse, config_file: Path, tmp_path: Path, model_config: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in 'ab':
        (tmp_path / name).mkdir()
        (tmp_path / name / 'classes.json').write_text(json.dumps(dict(classes=['x', name])))
    folders = [dict(type='mmlmseg.FolderDataset', data_root=str(tmp_path / name)) for name in 'ab']
    loader = dict(batch_size=1, shuffle=True, dataset=dict(type='mmlmseg.MultiDataset', datasets=folders))
    model = model_config()
    del model['decode_head']['label_spaces']
    loaders = {f'{split}_dataloader': loader for split in ('train', 'val', 'test')}
    evaluators = {f'{split}_evaluator': dict(type='mmlmseg.MultiDatasetEvaluator', metrics=[]) for split in SCORED}
    loops: dict = {f'{split}_cfg': {} for split in SCORED}
    schedule = dict(type='PolyLR', end=100, by_epoch=False)
    length = dict(train_cfg=dict(max_iters=100, val_interval=50), param_scheduler=schedule, optim_wrapper={})
    Config(dict(model=model, **loaders, **evaluators, **loops, **length)).dump(config_file)
    options = ['--cfg-options', 'train_dataloader.dataset.names=[c,b]', '--work-dir', str(tmp_path / 'own')]

    args = parse(str(config_file), *options, '--datasets', 'c')
    args.iterations = 10
    cfg = cli.load_config(args)
    assert (cfg.train_dataloader.dataset.names, cfg.val_dataloader.dataset.names) == (['c'], ['a'])
    assert [space['name'] for space in cfg.model.decode_head.label_spaces] == ['a']
    assert (cfg.train_cfg.max_iters, cfg.param_scheduler.end) == (10, 10)
    assert cfg.work_dir == str(tmp_path / 'own')
    for unclear in '', 'b,,c', 'b,b':
        args.datasets = unclear
        with pytest.raises(OptionError, match=f"--datasets '{unclear}': give names of datasets, each once"):
            cli.load_config(args)
    args.work_dir, args.datasets = None, 'b, c'
    assert Path(cli.load_config(args).work_dir) == Path('work_dirs/small_b_c_10')

    known = [dict(name='known', classes=['x'])]
    torch.save(dict(state_dict=MODELS.build(model_config(known, text=False)).state_dict()), tmp_path / 'model.pth')
    args = parse(str(config_file), '--datasets', 'b')
    args.checkpoint = str(tmp_path / 'model.pth')
    cfg = cli.load_config(args)
    assert (cfg.train_dataloader.dataset.datasets, cfg.test_dataloader.dataset.names) == (folders, ['b'])
    assert [space['name'] for space in cfg.model.decode_head.label_spaces] == ['known']
    args.datasets, args.cfg_options = None, {'model.decode_head.label_spaces': [f'{tmp_path}/a']}
    assert cli.load_config(args).model.decode_head.label_spaces == [f'{tmp_path}/a']
    with pytest.raises(OptionError, match=r"small\.py: has no dataset 'd', only a, b"):
        cli.load_config(parse(str(config_file), '--datasets', 'a,d'))


@pytest.mark.parametrize('spelling', ['--local-rank=1', '--local_rank=1'])
def test_local_rank_is_taken_in_both_spellings(parse: Parse, spelling: str) -> None:
    assert parse('x.py', spelling).local_rank == 1


def test_amp_without_accelerator_is_a_clear_error(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, 'has_accelerator', lambda: False)
    with pytest.raises(ValueError, match='--amp: mixed precision needs an accelerator'):
        cli.use_amp(Config.fromfile(config_file))


def test_amp_switches_the_wrapper(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, 'has_accelerator', lambda: True)
    cfg = Config.fromfile(config_file)
    cli.use_amp(cfg)
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.loss_scale) == ('AmpOptimWrapper', 'dynamic')
    cfg.optim_wrapper.type = 'DeepSpeedOptimWrapper'
    with pytest.raises(ValueError, match='DeepSpeedOptimWrapper'):
        cli.use_amp(cfg)


def test_auto_scale_lr_needs_the_base_batch_size() -> None:
    cfg = Config(dict(auto_scale_lr=dict(base_batch_size=16)))
    cli.use_auto_scale_lr(cfg)
    assert cfg.auto_scale_lr.enable
    with pytest.raises(ValueError, match='--auto-scale-lr: the config does not say'):
        cli.use_auto_scale_lr(Config())


def test_resume_finds_and_checks_the_last_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = tmp_path / 'start.pt'
    torch.save(dict(state_dict={}), start)
    cfg = Config(dict(work_dir=str(tmp_path), load_from=str(start)))
    cli.use_resume(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (False, str(start))  # nothing there yet: a fresh start
    assert f'{tmp_path} holds no checkpoint, training starts anew from {start}' in capsys.readouterr().out
    cfg.load_from = str(tmp_path / 'nowhere.pt')
    with pytest.raises(CheckpointError, match=r'nowhere\.pt: does not exist'):
        cli.use_resume(cfg, 'auto')

    last = tmp_path / 'iter_4.pth'
    torch.save(dict(state_dict={}, meta={}, message_hub={}, optimizer={}, param_schedulers=[]), last)
    (tmp_path / 'last_checkpoint').write_text(str(last))
    cli.use_resume(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (True, str(last))

    last.write_bytes(last.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r'iter_4\.pth: is truncated'):
        cli.use_resume(cfg, 'auto')


VIEWS, OTHER_VIEWS = [dict(type='Views')], [dict(type='OtherViews')]


def tta_config(datasets: list[dict], **extra: object) -> Config:
    return Config(
        dict(
            model=dict(type='M'),
            tta_model=dict(type='T'),
            test_dataloader=dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=datasets)),
            **extra,
        )
    )


def test_tta_replaces_the_pipeline_of_every_dataset(tmp_path: Path) -> None:
    (tmp_path / 'classes.json').write_text(json.dumps(dict(name='own', classes=['a', 'b'])))
    datasets = [
        dict(type='CityscapesDataset', pipeline=[]),
        dict(type='RepeatDataset', times=2, dataset=dict(type='mmlmseg.FolderDataset', data_root=str(tmp_path))),
    ]
    cfg = tta_config(datasets, tta_pipelines=dict(own=OTHER_VIEWS), tta_pipeline=VIEWS)
    cli.use_tta(cfg)
    first, second = cfg.test_dataloader.dataset.datasets
    assert first.pipeline == VIEWS
    assert second.dataset.pipeline == OTHER_VIEWS
    assert cfg.model == dict(type='T', module=dict(type='M'))


def test_tta_goes_by_the_names_given(tmp_path: Path) -> None:
    cfg = tta_config([dict(type='CityscapesDataset')] * 2, tta_pipelines=dict(day=VIEWS, night=OTHER_VIEWS))
    cfg.test_dataloader.dataset.names = ['day', 'night']
    cli.use_tta(cfg)
    assert [dataset.pipeline for dataset in cfg.test_dataloader.dataset.datasets] == [VIEWS, OTHER_VIEWS]


def test_tta_of_one_plain_dataset() -> None:
    cfg = Config(
        dict(model={}, tta_model={}, tta_pipeline=VIEWS, test_dataloader=dict(dataset=dict(type='CityscapesDataset')))
    )
    cli.use_tta(cfg)
    assert cfg.test_dataloader.dataset.pipeline == VIEWS


def test_tta_names_what_is_missing() -> None:
    cfg = tta_config([dict(type='CityscapesDataset')], tta_pipelines=dict(ade20k=VIEWS))
    with pytest.raises(ValueError, match=r"no augmented pipeline for dataset 'cityscapes'.*it has: ade20k"):
        cli.use_tta(cfg)
    with pytest.raises(ValueError, match='no tta_model'):
        cli.use_tta(Config())


def test_what_is_no_config_is_told_from_what_is_elsewhere(parse: Parse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[1])
    with pytest.raises(
        OptionError, match=r'no such config file\. Did you mean: configs/lmseg/lmseg_r18_own-data\.py\?'
    ):
        cli.load_config(parse('lmseg_r18_own-data.py'))
    with pytest.raises(OptionError, match=r'zzz\.py: no such config file, nor is there a folder nowhere$'):
        cli.load_config(parse('nowhere/zzz.py'))
    with pytest.raises(OptionError, match=r'qqqq\.py: no such config file; configs/demo holds .*lmseg_demo\.py'):
        cli.load_config(parse('configs/demo/qqqq.py'))
    with pytest.raises(OptionError, match=r'configs/lmseg: is a folder; name a config file in it'):
        cli.load_config(parse('configs/lmseg'))
    with pytest.raises(OptionError, match=r'README\.md: is no config file, .*configs come before weights and images'):
        cli.load_config(parse('README.md'))


def test_a_missing_config_is_named_with_its_neighbours(parse: Parse, config_file: Path) -> None:
    with pytest.raises(OptionError, match=r'smal\.py: no such config file\. Did you mean: small\.py\?'):
        cli.load_config(parse(str(config_file.with_name('smal.py'))))


def test_what_a_user_can_mend_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='2'), cli.one_line_errors():
        raise DataError('Caught DataError in worker 0.\n  File "x.py"\nmmlmseg.errors.DataError: a.png: no such file')
    assert capsys.readouterr().err == 'error: a.png: no such file\n'
    with pytest.raises(SystemExit, match='2'), cli.one_line_errors():
        raise DataError('a.png: OpenCV(4.9):\n error: (-215)\n; replace the file')
    assert capsys.readouterr().err == 'error: a.png: OpenCV(4.9): error: (-215) ; replace the file\n'
    with pytest.raises(ZeroDivisionError), cli.one_line_errors():
        raise ZeroDivisionError
