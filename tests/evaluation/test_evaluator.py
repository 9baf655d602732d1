"""Routing, sizes, means and save_best of the multi-dataset evaluator."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.evaluator import BaseMetric, DumpResults
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample
from torch.utils.data import Dataset

from mmlmseg.errors import DataError, OptionError
from mmlmseg.evaluation import MultiDatasetEvaluator, SemanticIoU
from mmlmseg.evaluation.keys import is_class_key
from mmlmseg.label_space import LabelSpace
from mmlmseg.registry import EVALUATOR
from mmlmseg.segments import SegmentMap

CLASSES = dict(street=['road', 'car', 'sky'], farm=['cow', 'grass'], sea=['water', 'boat', 'sky', 'gull'])
SIZES = dict(street=5, farm=3, sea=4)


def _meta(*names: str) -> dict:
    return dict(
        datasets={
            name: dict(
                spaces=(LabelSpace.create(name, CLASSES[name]),),
                classes=CLASSES[name],
                groups=[0] * len(CLASSES[name]),
                size=SIZES[name],
            )
            for name in names or CLASSES
        }
    )


def _sample(dataset: str, index: int) -> SegDataSample:
    classes = len(CLASSES[dataset])
    generator = torch.Generator().manual_seed(100 * list(CLASSES).index(dataset) + index)
    label = torch.randint(0, classes, (1, 9, 8), generator=generator)
    guess = torch.randint(0, classes, (1, 9, 8), generator=generator)
    prediction = torch.where(torch.rand(1, 9, 8, generator=generator) < 0.5, label, guess)
    label[:, :2] = 255
    sample = SegDataSample(metainfo=dict(dataset=dataset, label_spaces=(dataset,), img_path=f'{dataset}/{index}.png'))
    sample.pred_sem_seg = PixelData(data=prediction)
    sample.gt_sem_seg = PixelData(data=label)
    return sample


def _all(*names: str) -> list[SegDataSample]:
    return [_sample(name, index) for name in names or CLASSES for index in range(SIZES[name])]


def _reference(name: str, count: int | None = None) -> dict[str, float]:
    metric = IoUMetric()
    metric.dataset_meta = dict(classes=CLASSES[name])
    metric.process(None, [sample.to_dict() for sample in _all(name)[:count]])
    return {f'{name}/{key}': _rounded(value) for key, value in metric.evaluate(SIZES[name]).items()}


def _means(results: dict[str, float]) -> dict[str, float]:
    """Without the results of single classes."""
    return {key: value for key, value in results.items() if not is_class_key(key)}


def _rounded(value: float) -> float:
    return round(float(value), 2)  # mmseg's are float32


class Recorder(BaseMetric):
    """Keeps what it is given."""

    default_prefix = 'seen'

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        self.results += list(zip(data_batch['inputs'], [s['img_path'] for s in data_samples], strict=True))

    def compute_metrics(self, results: list) -> dict:
        return dict(count=len(results), pairs=results)


@pytest.mark.parametrize('metric', ['mmlmseg.SemanticIoU', 'mmseg.IoUMetric'])
def test_each_dataset_gets_its_own_numbers(metric: str) -> None:
    evaluator = EVALUATOR.build(dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type=metric)))
    evaluator.dataset_meta = _meta()
    samples = _all()[::2] + _all()[1::2]  # batches mix datasets
    for start in range(0, len(samples), 4):
        evaluator.process(samples[start : start + 4], dict(inputs=samples[start : start + 4]))
    results = evaluator.evaluate(len(samples))
    expected = _reference('street') | _reference('farm') | _reference('sea')
    assert {k: _rounded(v) for k, v in _means(results).items() if not k.startswith('mean/')} == expected
    mean = sum(expected[f'{name}/mIoU'] for name in CLASSES) / 3
    assert results['mean/mIoU'] == pytest.approx(mean, abs=1e-4)
    assert {key for key in results if key.startswith('mean/')} == {'mean/mIoU', 'mean/mAcc', 'mean/aAcc'}


def test_can_be_used_again() -> None:
    evaluator = MultiDatasetEvaluator(SemanticIoU())
    evaluator.dataset_meta = _meta()
    runs = []
    for _ in range(2):
        evaluator.process(_all())
        runs.append(evaluator.evaluate(12))
    assert runs[0] == runs[1]


def test_unseen_dataset_is_left_out() -> None:
    evaluator = MultiDatasetEvaluator(IoUMetric())
    evaluator.dataset_meta = _meta()
    evaluator.process(_all('street', 'sea'))
    results = evaluator.evaluate(12)
    assert not any(key.startswith('farm/') for key in results)
    assert results['mean/mIoU'] == pytest.approx((results['street/mIoU'] + results['sea/mIoU']) / 2)


@pytest.mark.parametrize('hidden', [('sea',), ('street', 'sea'), tuple(CLASSES)])
def test_the_mean_is_over_datasets_that_have_a_number(hidden: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr('mmlmseg.evaluation.evaluator.print_log', lambda text, *_: said.append(text))
    evaluator = MultiDatasetEvaluator(SemanticIoU())
    evaluator.dataset_meta = _meta()
    samples = _all()
    for sample in samples:
        if sample.dataset in hidden:
            sample.gt_sem_seg.data.fill_(255)
    evaluator.process(samples)
    results = evaluator.evaluate(12)
    seen = [results[f'{name}/mIoU'] for name in CLASSES if name not in hidden]
    assert results['mean/mIoU'] == pytest.approx(sum(seen) / len(seen) if seen else math.nan, abs=1e-4, nan_ok=True)
    (line,) = [line for line in said if line.startswith('mean/mIoU ')]
    assert f'is over {len(seen)} of 3 datasets: {", ".join(hidden)} has no number' in line


def test_nothing_seen_gives_no_result() -> None:
    evaluator = MultiDatasetEvaluator(SemanticIoU())
    evaluator.dataset_meta = _meta()
    assert evaluator.evaluate(12) == {}


def test_repeats_are_dropped() -> None:
    evaluator = MultiDatasetEvaluator(SemanticIoU())
    evaluator.dataset_meta = _meta()
    evaluator.process(_all() + _all('street')[:2])  # as a sampler that rounds up appends them
    results = evaluator.evaluate(12)
    assert {key: results[key] for key in _reference('street')} == _reference('street')


def test_metrics_see_only_their_part_of_the_batch() -> None:
    evaluator = MultiDatasetEvaluator(Recorder())
    evaluator.dataset_meta = _meta('street', 'farm')
    samples = [_sample('farm', 1), _sample('street', 0), _sample('farm', 0)]
    evaluator.process(samples, dict(inputs=['x', 'y', 'z'], data_samples=samples))
    results = evaluator.evaluate(8)
    assert results['farm/seen/pairs'] == [('x', 'farm/1.png'), ('z', 'farm/0.png')]
    assert results['street/seen/pairs'] == [('y', 'street/0.png')]
    assert results['mean/seen/count'] == 1.5
    assert 'mean/seen/pairs' not in results


def test_per_dataset_replaces_the_shared_metrics() -> None:
    metrics = [dict(type='mmlmseg.SemanticIoU')]
    special = dict(farm=[SemanticIoU(), Recorder()])
    evaluator = MultiDatasetEvaluator(metrics, per_dataset=special)
    evaluator.dataset_meta = _meta('street', 'farm')
    samples = _all('street', 'farm')
    evaluator.process(samples, dict(inputs=list(range(8))))
    results = evaluator.evaluate(8)
    assert results['farm/seen/count'] == 3
    assert 'street/seen/count' not in results
    assert 'mean/mIoU' in results
    assert 'mean/seen/count' not in results
    assert metrics == [dict(type='mmlmseg.SemanticIoU')]  # configs are left alone


def test_appended_metrics_see_all_samples(tmp_path: Path) -> None:
    evaluator = MultiDatasetEvaluator(SemanticIoU())
    evaluator.dataset_meta = _meta('street', 'farm')
    evaluator.metrics.append(DumpResults(str(tmp_path / 'out.pkl')))
    evaluator.process(_all('street', 'farm'))
    assert 'mean/mIoU' in evaluator.evaluate(8)
    assert (tmp_path / 'out.pkl').exists()


def test_appended_metrics_get_segments_as_tensors_of_the_host() -> None:
    """mmengine's DumpResults knows how to move dicts and tensors, not classes of ours."""

    class Seen(BaseMetric):
        def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
            self.results.extend(data_samples)

        def compute_metrics(self, results: list) -> dict:
            return {}

    sample = _sample('street', 0)
    ids = torch.ones(9, 8, dtype=torch.int32)
    sample.pred_segments = SegmentMap(ids, torch.tensor([2]), torch.tensor([False]), torch.tensor([0.5]))
    evaluator = MultiDatasetEvaluator(SemanticIoU())
    evaluator.dataset_meta = _meta('street')
    evaluator.metrics.append(seen := Seen())
    evaluator.process([sample])
    (got,) = seen.results
    assert {key: value.tolist() for key, value in got['pred_segments'].items()} == dict(
        ids=ids.tolist(), labels=[2], crowd=[False], scores=[0.5]
    )
    assert got['img_path'] == 'street/0.png'


def test_clashing_keys_are_an_error() -> None:
    evaluator = MultiDatasetEvaluator([SemanticIoU(), IoUMetric()])
    evaluator.dataset_meta = _meta('farm')
    evaluator.process(_all('farm'))
    with pytest.raises(ValueError, match=r"Two metrics of dataset 'farm' give 'mIoU'|'aAcc'"):
        evaluator.evaluate(3)


def test_bad_stamps_and_names_are_errors() -> None:
    evaluator = MultiDatasetEvaluator(SemanticIoU())
    evaluator.dataset_meta = _meta('street', 'farm')
    with pytest.raises(DataError, match=r"sea/0.png: unknown dataset 'sea'; evaluated are \['street', 'farm'\]"):
        evaluator.process([_sample('sea', 0)])
    unstamped = _sample('farm', 0).to_dict()
    del unstamped['dataset']
    with pytest.raises(DataError, match=r'farm/0.png: the sample does not say which dataset'):
        evaluator.process([unstamped])
    with pytest.raises(DataError, match=r"'streat'.*Did you mean: street"):
        MultiDatasetEvaluator([], per_dataset=dict(streat=[])).dataset_meta = _meta()
    with pytest.raises(DataError, match=r'MultiDataset'):
        evaluator.dataset_meta = dict(classes=['a'])


class Samples(Dataset):
    """All samples of all datasets; the truth is in the sample, the prediction is its input."""

    metainfo = _meta()

    def __init__(self) -> None:
        self.samples = _all()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict:
        sample = self.samples[index].clone()
        prediction = sample.pred_sem_seg.data
        del sample.pred_sem_seg
        return dict(inputs=prediction, data_samples=sample)


class Repeat(BaseModel):
    """Predicts its input."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs: list, data_samples: list, mode: str = 'tensor') -> Any:
        if mode == 'loss':
            return dict(loss=self.weight**2)
        for prediction, sample in zip(inputs, data_samples, strict=True):
            sample.pred_sem_seg = PixelData(data=prediction)
        return data_samples


def _runner(folder: Path, **hook: Any) -> Runner:
    """Two steps, an evaluation after each."""
    loader = dict(batch_size=4, num_workers=0, dataset=Samples(), collate_fn=dict(type='pseudo_collate'))
    evaluator = dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIoU'))
    return Runner(
        model=Repeat(),
        work_dir=str(folder),
        train_dataloader=dict(loader, sampler=dict(type='InfiniteSampler')),
        train_cfg=dict(by_epoch=False, max_iters=2, val_interval=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        val_dataloader=dict(loader, sampler=dict(type='DefaultSampler', shuffle=False)),
        val_evaluator=evaluator,
        val_cfg={},
        test_dataloader=dict(loader, sampler=dict(type='DefaultSampler', shuffle=False)),
        test_evaluator=evaluator,
        test_cfg={},
        log_processor=dict(type='mmlmseg.LogProcessor', by_epoch=False),
        default_hooks=dict(
            checkpoint=dict(type='mmlmseg.CheckpointHook', by_epoch=False, interval=9, **hook),
            logger=dict(type='LoggerHook', log_metric_by_epoch=False),
        ),
        default_scope='mmseg',
        experiment_name=folder.name,
    )


@pytest.mark.parametrize(
    ('best', 'files'),
    [
        ('mean/mIoU', ['best_mean_mIoU_iter_1.pth']),
        ('sea/IoU.gull', ['best_sea_IoU.gull_iter_1.pth']),
        (['street/IoU.car', 'farm/aAcc'], ['best_farm_aAcc_iter_1.pth', 'best_street_IoU.car_iter_1.pth']),
        ('auto', ['best_street_mIoU_iter_1.pth']),
    ],
)
def test_in_a_runner_with_save_best(tmp_path: Path, best: str | list[str], files: list[str]) -> None:
    runner = _runner(tmp_path, save_best=best)
    runner.train()
    assert sorted(path.name for path in tmp_path.glob('best_*')) == files
    (line,) = {line.partition(')')[2].split('data_time')[0] for line in _lines(runner) if '[3/3]' in line}
    assert 'mean/mIoU' in line
    assert 'IoU.' not in line  # no wall of numbers
    results = runner.test()
    for name in CLASSES:
        assert {key: results[key] for key in _reference(name)} == _reference(name)
    scalars = Path(runner.log_dir, 'vis_data', 'scalars.json').read_text().splitlines()
    logged = [entry for entry in map(json.loads, scalars) if 'mean/mIoU' in entry]
    assert len(logged) == 2
    assert all(results == {key: entry[key] for key in results} for entry in logged)
    assert 'sea/IoU.gull' in results


def _lines(runner: Runner) -> list[str]:
    return Path(runner.log_dir, f'{runner.timestamp}.log').read_text().splitlines()


@pytest.mark.parametrize('best', ['sea/IoU.gul', 'mean/IoU.gull', 'sea/PQ', ['sea/mIoU', 'street/IoU.gull']])
def test_a_best_result_that_does_not_come_is_refused_before_the_first_step(tmp_path: Path, best: Any) -> None:
    with pytest.raises(OptionError, match=r'save_best = .*no such result.* It gives street/mIoU'):
        _runner(tmp_path, save_best=best).train()
    assert not list(tmp_path.glob('*.pth'))


def test_a_best_result_that_is_no_number_keeps_no_checkpoint_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sample in (samples := _all()):
        sample.gt_sem_seg.data[sample.gt_sem_seg.data == 3] = 255  # only the sea has a fourth class, gulls
        sample.pred_sem_seg.data.clamp_(max=2)
    monkeypatch.setattr(f'{__name__}._all', lambda: samples)
    runner = _runner(tmp_path, save_best='sea/IoU.gull')
    runner.train()
    assert not list(tmp_path.glob('best_*'))
    said = [line for line in _lines(runner) if 'WARNING' in line]
    for words in (
        'save_best: sea/IoU.gull is no number (nan)',
        'sea: 1 of 4 classes have no pixels in the truth: gull',
    ):
        assert sum(words in line for line in said) == 1


def test_a_best_result_of_a_dataset_that_is_not_seen_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = _all('street', 'farm')
    monkeypatch.setattr(f'{__name__}._all', lambda: samples)
    with pytest.raises(OptionError, match=r"save_best = 'sea/mIoU'.* It gives street/mIoU, .*mean/mIoU"):
        _runner(tmp_path, save_best='sea/mIoU').train()


def _evaluate_on_rank(rank: int, port: str, folder: str) -> None:
    splits = UNEVEN_SPLITS
    rendezvous = f'tcp://127.0.0.1:{port}'
    torch.distributed.init_process_group('gloo', init_method=rendezvous, rank=rank, world_size=len(splits))
    for metric in METRICS:
        evaluator = MultiDatasetEvaluator(dict(type=metric))
        evaluator.dataset_meta = _meta()
        evaluator.process([_sample(*key) for key in splits[rank]])
        torch.save(evaluator.evaluate(12), Path(folder) / f'{metric}_{rank}.pth')
    torch.distributed.destroy_process_group()


# rank 1 has nothing of street, rank 0 nothing of sea, farm is on none
UNEVEN_SPLITS = [[('street', i) for i in range(5)], [('sea', i) for i in range(3)]]
METRICS = ['mmlmseg.SemanticIoU', 'mmseg.IoUMetric']


def test_two_processes_with_an_uneven_split(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    # this file as a script: multiprocessing could not import it by name; mmengine exchanges files below the folder
    command = [sys.executable, __file__]
    ranks = [subprocess.Popen([*command, str(r), port, str(tmp_path)], cwd=tmp_path) for r in (0, 1)]
    try:
        assert [process.wait(timeout=300) for process in ranks] == [0, 0]
    finally:
        for process in ranks:
            process.kill()
    expected = _reference('street') | _reference('sea', count=3)
    for metric in METRICS:
        results = [torch.load(tmp_path / f'{metric}_{rank}.pth', weights_only=False) for rank in (0, 1)]
        assert results[0] == results[1], metric
        found = {k: _rounded(v) for k, v in _means(results[0]).items() if not k.startswith('mean/')}
        assert found == expected, metric


if __name__ == '__main__':
    _evaluate_on_rank(int(sys.argv[1]), *sys.argv[2:])
