"""Runs that are done in one go, that are stopped and go on, and that put models together; and what they leave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmlmseg.checkpoint import label_spaces_of
from mmlmseg.errors import CheckpointError, DataError, OptionError
from mmlmseg.evaluation import MultiDatasetEvaluator, PanopticQuality, SemanticIoU
from mmlmseg.lab.benchmark import (
    Benchmark,
    Method,
    Run,
    append_result,
    chosen_options,
    execute,
    make_report,
    read_results,
    run_config,
)
from mmlmseg.lab.benchmark.provenance import commit_of, machine_name
from mmlmseg.lab.benchmark.run import go_on, headline_metrics, member_checkpoints, text_of
from mmlmseg.lab.benchmark.statistics import NUM_RESAMPLES

NAMES = ('ccp', 'camvid11')
TINY: dict[str, Any] = {
    'model.backbone.base_channels': 8,
    'model.decode_head.in_channels': [8, 16, 32, 64],
    'model.decode_head.channels': 32,
    'model.decode_head.decoder.num_layers': 1,
    'train_dataloader.batch_size': 2,
    **{f'{part}_dataloader.num_workers': 0 for part in ('train', 'val')},
    **{f'{part}_dataloader.persistent_workers': False for part in ('train', 'val')},
    'default_hooks.logger.interval': 1,
}
METHODS = (Method('LMSeg', model='lmseg_r18'),)
BENCHMARK = Benchmark('bench', 'B', 'mIoU', 'LMSeg', NAMES, METHODS, 2, 'clash5', readings=2, options=TINY)
RUN = BENCHMARK.runs()[0]


@HOOKS.register_module()
class StopOnce(Hook):
    """Ends the process, as far as a test can, before the first evaluation at a step."""

    stop_at: int | None = None

    def before_val(self, runner: Runner) -> None:
        if runner.iter == StopOnce.stop_at:
            StopOnce.stop_at = None
            raise KeyboardInterrupt


def config(work_dir: Path) -> Config:
    return run_config(BENCHMARK, RUN, {}, work_dir)


def run(work_dir: Path, stop_at: int | None = None) -> dict[str, Any]:
    StopOnce.stop_at = stop_at
    cfg = config(work_dir)
    cfg.custom_hooks = [dict(type='StopOnce')]
    return execute(BENCHMARK, RUN, cfg)


@pytest.mark.slow
def test_runs_in_one_go_and_in_several(clash5: Path, tmp_path: Path) -> None:
    whole = run(tmp_path / 'whole')
    assert {
        key: whole[key] for key in ('run', 'method', 'dataset', 'seed', 'choice', 'iterations', 'batch_size')
    } == dict(run='lmseg_seed0', method='LMSeg', dataset=None, seed=0, choice=None, iterations=4, batch_size=2)
    assert whole['text'] == 'sentence bank'
    assert whole['seconds'] is not None
    assert (whole['machine'], whole['commit']) == (machine_name(), commit_of())
    assert whole['precision'] in ('float32', 'bfloat16')
    for name in NAMES:
        assert list(whole['scores'][name]) == ['mIoU', 'mAcc', 'aAcc']
        assert whole['kinds'][name] == dict.fromkeys(('mIoU', 'mAcc', 'aAcc'), 'comparable')
        assert list(whole['readings'][name]) == [2, 4]
        assert whole['readings'][name][4] == whole['scores'][name]['mIoU']
        assert len(whole['resamples'][name]) == NUM_RESAMPLES
        assert min(whole['resamples'][name]) <= whole['scores'][name]['mIoU'] <= max(whole['resamples'][name])
    measured = ('scores', 'readings', 'resamples')

    # Stopped after the last checkpoint: only the evaluation is done again.
    again = run(tmp_path / 'whole')
    assert [again[key] for key in measured] == [whole[key] for key in measured]
    assert again['seconds'] is None

    # Stopped between a checkpoint and the reading at its step, which must not be lost.
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / 'stopped', stop_at=2)
    torch.save({}, tmp_path / 'stopped' / 'lmseg_seed0' / 'iter_3.pth')  # as if killed while it is written
    rest = run(tmp_path / 'stopped')
    for name in NAMES:
        assert list(rest['readings'][name]) == [2, 4]
        assert rest['readings'][name][2] == whole['readings'][name][2]
    logs = sorted((tmp_path / 'stopped' / 'lmseg_seed0').glob('*/*.log'))
    assert 'resumed epoch: 0, iter: 2' in logs[-1].read_text()


def test_a_dataset_that_is_left_out_is_scored(clash5: Path, tmp_path: Path) -> None:
    left_out = replace(BENCHMARK, scored=('labelmefacade',), unseen=('labelmefacade',), also=('ccp/mIoU',))
    (only,) = left_out.runs()
    result = execute(left_out, only, run_config(left_out, only, {}, tmp_path))
    assert set(result['scores']) == {'labelmefacade', 'ccp'}
    assert list(result['readings']['labelmefacade']) == [2, 4]
    saved = torch.load(tmp_path / only.name / 'iter_4.pth', weights_only=False)['state_dict']
    assert label_spaces_of(saved).names == ('ccp', 'camvid11', 'labelmefacade')


def test_an_evaluator_that_does_not_measure_the_headline_is_no_training(clash5: Path, tmp_path: Path) -> None:
    cfg = config(tmp_path)
    cfg.val_evaluator.metrics = [dict(type='mmlmseg.PanopticQuality')]
    with pytest.raises(OptionError, match='val_evaluator: ccp has no metric for the headline mIoU, only Panoptic'):
        execute(BENCHMARK, RUN, cfg)
    assert not list(tmp_path.rglob('*.pth'))


def test_the_metric_of_the_headline_is_found_among_others() -> None:
    evaluator = MultiDatasetEvaluator([dict(type='mmlmseg.PanopticQuality'), dict(type='mmlmseg.SemanticIoU')])
    meta = dict(classes=['a'], is_thing=[False], size=1)
    evaluator.dataset_meta = dict(datasets=dict(x=meta, y=meta))
    for headline, kind in (('mIoU', SemanticIoU), ('PQ', PanopticQuality)):
        found = headline_metrics(evaluator.dataset_metrics, headline, ['x', 'y'])
        assert list(found) == ['x', 'y']
        assert all(type(metric) is kind for metric in found.values())
    assert list(headline_metrics(evaluator.dataset_metrics, 'mIoU', ['y', 'z'])) == ['y']
    with pytest.raises(OptionError, match='y has no metric for the headline PIQ, only PanopticQuality, SemanticIoU'):
        headline_metrics(evaluator.dataset_metrics, 'PIQ', ['y', 'z'])


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        (None, 'none'),
        (dict(encoder=dict(type='mmlmseg.TextBankEncoder')), 'sentence bank'),
        (dict(encoder=dict(type='TextBankEncoder', bank='minilm')), 'sentence bank'),
        (
            dict(encoder=dict(type='mmlmseg.TextBankEncoder', bank='some/clip.safetensors')),
            'text bank clip.safetensors',
        ),
        (dict(encoder=dict(type='mmlmseg.OpenClipText', model='RN50-quickgelu')), 'CLIP RN50-quickgelu'),
    ],
)
def test_what_models_read_names_with(text: Any, expected: str) -> None:
    assert text_of(Config(dict(model=dict(decode_head=dict(text=text))))) == expected


def test_lines_come_back(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'lines.jsonl'
    assert read_results(path) == {}
    lines = [dict(run='a', readings={5: 1.0}), dict(run='b'), dict(run='a', readings={5: 2.0})]
    for line in lines:
        append_result(path, line)
    assert read_results(path) == {'a': dict(run='a', readings={'5': 2.0}), 'b': dict(run='b')}


@pytest.mark.parametrize('damaged', ['{"run": "b", "sco', '', '{"ran": "b"}', '[1]', '3'])
def test_damaged_lines(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / 'lines.jsonl'
    append_result(path, dict(run='a'))
    path.write_text(path.read_text() + damaged + '\n')
    with pytest.raises(DataError, match=r'lines\.jsonl, line 2: is no finished run; delete the line'):
        read_results(path)


def test_every_model_takes_what_served_it_best() -> None:
    methods = (Method('Ours', 'a.py'), Method('theirs', 'b.py', alone=True))
    choices = tuple({'lr': lr} for lr in (1, 2, 3))
    benchmark = Benchmark('b', 'B', 'PQ', 'Ours', ('x', 'y'), methods, 6, choices=choices)
    means = dict(
        ours=[(10, 40), (45, 10), (30, 20)],  # 25, 27.5, 25
        theirs_x=[(10,), (20,), (30,)],
        theirs_y=[(7,), (7,), (6,)],  # of two equals the first
    )
    lines = {}
    for model, trials in means.items():
        names = model.split('_')[1:] or ['x', 'y']
        for i, values in enumerate(trials):
            scores = {name: dict(PQ=value, mIoU=99 - value) for name, value in zip(names, values, strict=True)}
            lines[f'{model}_choice{i}_seed0'] = dict(scores=scores)
    chosen = {run.name: chosen_options(benchmark, run, lines)['lr'] for run in benchmark.final_runs()}
    assert chosen == dict(ours_seed0=2, theirs_x_seed0=3, theirs_y_seed0=1)
    assert [chosen_options(benchmark, run, {})['lr'] for run in benchmark.tuning_runs()] == [1] * 3 + [2] * 3 + [3] * 3
    del lines['theirs_x_choice1_seed0']
    final = {run.name: run for run in benchmark.final_runs()}
    with pytest.raises(OptionError, match='theirs_x_seed0 waits for theirs_x_choice1_seed0'):
        chosen_options(benchmark, final['theirs_x_seed0'], lines)
    assert chosen_options(benchmark, final['ours_seed0'], lines) == {'lr': 2}


def test_without_choices_nothing_is_chosen() -> None:
    benchmark = Benchmark('b', 'B', 'PQ', 'Ours', ('x',), (Method('Ours', 'a.py'),), 6)
    assert chosen_options(benchmark, benchmark.runs()[0], {}) == {}


def save_checkpoint(path: Path) -> None:
    torch.save(dict(state_dict={}, meta={}, message_hub={}, optimizer={}, param_schedulers=[]), path)


def test_goes_on_from_the_newest_whole_checkpoint(clash5: Path, tmp_path: Path) -> None:
    cfg = config(tmp_path)
    cfg.load_from = 'start.pth'
    go_on(cfg)
    assert (cfg.resume, cfg.load_from) == (False, 'start.pth')  # nothing is there
    folder = Path(cfg.work_dir)
    folder.mkdir()
    cfg.dump(folder / Path(cfg.filename).name)
    for step in (9, 100, 20):
        save_checkpoint(folder / f'iter_{step}.pth')
    go_on(cfg)
    assert (cfg.resume, cfg.load_from) == (True, str(folder / 'iter_100.pth'))
    whole = (folder / 'iter_100.pth').read_bytes()
    (folder / 'iter_100.pth').write_bytes(whole[: len(whole) // 2])
    go_on(cfg)
    assert cfg.load_from == str(folder / 'iter_20.pth')


def test_does_not_go_on_from_a_run_with_another_config(clash5: Path, tmp_path: Path) -> None:
    cfg = config(tmp_path)
    folder = Path(cfg.work_dir)
    folder.mkdir()
    save_checkpoint(folder / 'iter_2.pth')
    written = folder / Path(cfg.filename).name
    before = Config(cfg.to_dict())
    before.log_level = 'WARNING'  # which changes no result
    before.dump(written)
    go_on(cfg)
    assert cfg.resume
    before.optim_wrapper.optimizer.lr = 1.0
    before.train_cfg.max_iters = 9
    before.dump(written)
    with pytest.raises(
        OptionError, match=r'iter_2\.pth: is of a run with another optim_wrapper, train_cfg; remove its'
    ):
        go_on(cfg)
    written.rename(folder / 'other_config.py')
    with pytest.raises(OptionError, match=r'iter_2\.pth: is of a run with another model, '):
        go_on(cfg)


@pytest.fixture
def union(mixed: Benchmark) -> Run:
    return mixed.runs()[-1]


def test_missing_weights_tell_what_to_do(mixed: Benchmark, union: Run, tmp_path: Path) -> None:
    files = [tmp_path / f'singles_{name}_seed0' / 'iter_2.pth' for name in mixed.datasets]
    for file in files:
        file.parent.mkdir()
        file.touch()
    assert member_checkpoints(mixed, union, tmp_path) == files
    files[1].rename(files[1].with_name('iter_1.pth'))
    message = (
        r'singles_labelmefacade_seed0/iter_2\.pth: no such file, but singles_union_seed0 needs the last checkpoint of '
        r'singles_labelmefacade_seed0; give the --work-dir of that run, or delete its line from bench\.jsonl'
    )
    with pytest.raises(CheckpointError, match=message):
        execute(mixed, union, run_config(mixed, union, {}, tmp_path))


@pytest.mark.slow
def test_from_training_to_the_table(mixed: Benchmark, tmp_path: Path) -> None:
    test_cfg = dict(panoptic=dict(object=0.0, overlap=0.3))
    short = replace(mixed, options={**TINY, 'model.test_cfg': test_cfg}, iterations=1)

    def do(run: Run) -> dict[str, Any]:
        return {**execute(short, run, run_config(short, run, {}, tmp_path)), 'options': {}}

    lines = {run.name: do(run) for run in short.runs()}
    joint, street, facade, union = lines.values()
    assert [line['members'] for line in lines.values()] == [[], [], [], [street['run'], facade['run']]]
    assert [line['iterations'] for line in lines.values()] == [2, 1, 1, 2]
    assert [list(line['scores']) for line in lines.values()] == [['both', 'camvid11'], ['camvid11'], [], ['both']]
    assert [list(line['resamples']) for line in lines.values()] == [['both'], [], [], ['both']]
    for line in (joint, union):
        assert line['readings'] == {'both': {2: line['scores']['both']['PIQ']}}
        assert len(line['resamples']['both']) == NUM_RESAMPLES
    assert union['parameters'] == street['parameters'] + facade['parameters']
    assert union['text'] == 'none'

    report = make_report(short, lines)
    assert report.missing == []
    first, second = report.rows
    assert (second.models, second.cost, first.cost) == (2, 2, 2)
    assert second.scores == {'both': union['scores']['both']['PIQ']}
    assert second.also == {
        'camvid11/mIoU': street['scores']['camvid11']['mIoU'],
        'both/PIQ_st': union['scores']['both']['PIQ_st'],
    }

    # It is their weights that are evaluated.
    file = tmp_path / 'singles_labelmefacade_seed0' / 'iter_1.pth'
    checkpoint = torch.load(file, weights_only=True)
    del checkpoint['state_dict']['decode_head.classifier.layers.0.bias']
    torch.save(checkpoint, file)
    with pytest.raises(CheckpointError, match=r'singles_labelmefacade_seed0/iter_1\.pth: .*layers\.0\.bias is missing'):
        do(short.runs()[-1])
