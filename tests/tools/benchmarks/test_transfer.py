"""The transfer test as far as it goes before and after training: its data, its runs, its table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmlmseg.apis import LMSegInferencer
from mmlmseg.errors import OptionError
from mmlmseg.lab.benchmark import Benchmark, Run, check_fairness, execute, make_report, run_config
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.registry import DATASETS

ROOT = Path(__file__).resolve().parents[3]
MAPPING = dict.fromkeys(['road', 'pavement', 'grass'], 'ground') | dict.fromkeys(['building', 'fence'], 'structure')
MAPPING |= dict(sky='sky', tree='nature', vehicle='object', person='object')


@pytest.fixture(scope='module')
def halves(load_script: Callable[[Path], ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn scenes in the place of CamVid."""
    folder = tmp_path_factory.mktemp('transfer')
    write_folder_dataset(folder / 'street', 'street', range(10), range(10, 12))
    (folder / 'mapping.json').write_text(json.dumps(MAPPING))
    tool = load_script(ROOT / 'tools' / 'benchmarks' / 'split_and_coarsen.py')
    out = str(folder / 'camvid11')
    tool.main([str(folder / 'street'), str(folder / 'mapping.json'), '--out', out, '--name', 'camvid'])
    return folder


@pytest.fixture
def benchmark_(halves: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    monkeypatch.setenv('MMLMSEG_HALVES', str(halves))
    monkeypatch.chdir(ROOT)
    return Benchmark.from_file(ROOT / 'tools' / 'benchmarks' / 'transfer.yml')


def configs(benchmark: Benchmark, work_dir: Path) -> dict[str, Config]:
    """By method; each takes one run."""
    runs = benchmark.final_runs()
    assert len(runs) == len(benchmark.methods)
    return {run.method.name: run_config(benchmark, run, {}, work_dir) for run in runs}


def test_runs_train_and_score_what_the_test_is_about(benchmark_: Benchmark, tmp_path: Path) -> None:
    fine, coarse = 'camvid_fine', 'camvid_coarse'
    expected = {  # trained on, iterations
        'LMSeg': ([fine, coarse], 600),
        'LMSeg on the fine half': ([fine], 600),
        'LMSeg on the fine half at half the cost': ([fine], 300),
        'multi-head': ([fine, coarse], 600),
    }
    found = configs(benchmark_, tmp_path)
    init_default_scope('mmseg')
    assert list(found) == list(expected)
    for name, (trained, iterations) in expected.items():
        config = found[name]
        assert config.train_cfg.max_iters == config.param_scheduler.end == iterations
        assert config.train_cfg.val_interval == iterations // 3
        loaders = (config.train_dataloader, config.val_dataloader)
        train, val = (DATASETS.build({**loader.dataset, 'lazy_init': True}) for loader in loaders)
        assert (train.names, [space.name for (space,) in train.spaces]) == (trained, trained)
        assert (val.names, [space.name for (space,) in val.spaces]) == ([fine, 'transfer'], [fine, fine])
        assert [space['name'] for space in config.model.decode_head.label_spaces] == trained
        assert config.test_dataloader.dataset == config.val_dataloader.dataset
    # of the last method, which trains on both: the second half of its images is that whose fine truth is scored
    coarse_images, scored_images = (
        {Path(data.get_data_info(i)['img_path']).name for i in range(len(data)) if data.locate(i)[0] == 1}
        for data in (train, val)
    )
    assert coarse_images == scored_images


def test_tuning_never_sees_the_fine_labels_of_the_coarse_half(benchmark_: Benchmark, tmp_path: Path) -> None:
    tuned = dataclasses.replace(benchmark_, choices=({}, {'optim_wrapper.optimizer.lr': 1e-3}))
    run = tuned.tuning_runs()[0]
    dataset = run_config(tuned, run, {}, tmp_path).val_dataloader.dataset
    assert dataset.names == ['camvid_fine']
    assert [(part.data_root.rsplit('/')[-1], part.split) for part in dataset.datasets] == [('fine', 'train')]


def test_what_cannot_be_scored_is_told_before_training(benchmark_: Benchmark) -> None:
    check_fairness(benchmark_)
    for change, message in (
        (dict(scored=('camvid_fine', 'transfr')), r"no dataset 'transfr'.*Did you mean: transfer"),
        (dict(datasets=('camvid_coarse',), scored=('camvid_coarse', 'transfer')), 'has the label space of transfer'),
    ):
        with pytest.raises(OptionError, match=message):
            check_fairness(dataclasses.replace(benchmark_, **change))


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('[camvid_fine, transfer]', '[transfer]', 'scored names none of the datasets: camvid_fine, camvid_coarse'),
        ('iterations: 600', 'iterations: 500', '500 cannot be read 3 times'),
    ],
)
def test_unusable_files_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / 'tools' / 'benchmarks' / 'transfer.yml').read_text()
    (tmp_path / 'bad.yml').write_text(text.replace(old, new))
    with pytest.raises(OptionError, match=rf'bad\.yml: .*{message}'):
        Benchmark.from_file(tmp_path / 'bad.yml')


def line_of(benchmark: Benchmark, run: Run, score: float) -> dict[str, Any]:
    names, length = run.scored, run.iterations
    return dict(
        run=run.name,
        text='sentence bank',
        iterations=length,
        batch_size=8,
        options={},
        scores={name: {'mIoU': score} for name in names},
        readings={name: {str(length * part // 3): score for part in (1, 2, 3)} for name in names},
        resamples={name: [score] * 3 for name in names},
    )


def test_table_shows_costs_where_they_differ(benchmark_: Benchmark) -> None:
    def table(benchmark: Benchmark) -> list[list[str]]:
        lines = {run.name: line_of(benchmark, run, 10.0 * i) for i, run in enumerate(benchmark.final_runs(), 1)}
        text = make_report(benchmark, lines).to_markdown()
        rows = [row for row in text.splitlines() if row.startswith('|')]
        return [[cell.strip() for cell in row.strip('|').split('|')] for row in rows]

    head, _, *rows = table(benchmark_)
    assert head[:7] == ['method', 'models', 'text', 'iterations', 'camvid_fine', 'transfer', 'mean']
    assert [row[3] for row in rows] == ['600', '600', '300', '600']
    assert [row[6] for row in rows] == ['10.0', '20.0', '30.0', '**40.0**']
    assert {len(row) for row in rows} == {len(head)}
    same = dataclasses.replace(benchmark_, methods=benchmark_.methods[:2])
    assert 'iterations' not in table(same)[0]


@pytest.mark.slow
def test_a_run_scores_fine_labels_of_coarse_images(benchmark_: Benchmark, halves: Path, tmp_path: Path) -> None:
    loaders = [f'{split}_dataloader' for split in ('train', 'val', 'test')]
    small = {
        **{f'{loader}.{key}': value for loader in loaders for key, value in dict(num_workers=0, batch_size=2).items()},
        **{f'{loader}.persistent_workers': False for loader in loaders},
    }
    short = dataclasses.replace(benchmark_, iterations=1, readings=1, options=small)
    run = short.final_runs()[0]
    config = run_config(short, run, {}, tmp_path)
    line = execute(short, run, config)
    assert line['iterations'] == 2
    assert list(line['scores']) == list(line['readings']) == list(line['resamples']) == ['camvid_fine', 'transfer']
    # by brute force, with what was drawn
    written = Path(tmp_path, run.name)
    inferencer = LMSegInferencer(str(written / str(config.filename)), str(written / 'iter_2.pth'), 'cpu')
    names = (halves / 'camvid11' / 'coarse' / 'train.txt').read_text().split()
    paths = [str(halves / 'street' / 'images' / f'{name}.jpg') for name in names]
    results = inferencer(paths, label_space='camvid_fine', show_progress=False)
    prediction = np.concatenate([result.label_map.ravel() for result in results])
    truth = np.concatenate([np.ravel(Image.open(halves / 'street' / 'labels' / f'{name}.png')) for name in names])
    prediction, truth = prediction[truth != 255], truth[truth != 255]
    overlaps = [((prediction == k) & (truth == k)).sum() for k in range(len(MAPPING))]
    unions = [((prediction == k) | (truth == k)).sum() for k in range(len(MAPPING))]
    ious = [overlap / union for overlap, union in zip(overlaps, unions) if union]
    assert line['scores']['transfer']['mIoU'] == pytest.approx(100 * np.mean(ious), abs=0.006)
