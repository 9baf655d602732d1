"""Runs that are done in one go, and runs that are stopped and go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmlmseg.errors import OptionError
from mmlmseg.evaluation import MultiDatasetEvaluator, PanopticQuality, SemanticIoU
from mmlmseg.lab.benchmark import Benchmark, Method, execute, run_config
from mmlmseg.lab.benchmark.run import headline_metrics, text_of
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
METHODS = (Method('LMSeg', 'configs/lmseg/lmseg_r18_clash5.py'),)
BENCHMARK = Benchmark('bench', 'B', 'mIoU', 'LMSeg', NAMES, METHODS, iterations=2, readings=2, options=TINY)
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
    for name in NAMES:
        assert list(whole['scores'][name]) == ['mIoU', 'mAcc', 'aAcc']
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


def test_an_evaluator_that_does_not_measure_the_headline_is_no_training(clash5: Path, tmp_path: Path) -> None:
    cfg = config(tmp_path)
    cfg.val_evaluator.metrics = [dict(type='mmlmseg.PanopticQuality')]
    with pytest.raises(OptionError, match=r'val_evaluator: ccp has no mmlmseg\.SemanticIoU, which measures mIoU'):
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
    with pytest.raises(OptionError, match=r'y has no mmlmseg\.PanopticInstanceQuality, which measures PIQ'):
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
