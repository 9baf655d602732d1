"""The transfer test as far as it goes before and after training: its data, its runs, its table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from mmengine.config import Config

from mmlmseg.benchmark import Benchmark, Run, execute, make_report, run_config
from mmlmseg.datasets.drawn_scenes import write_folder_dataset
from mmlmseg.errors import OptionError
from mmlmseg.registry import DATASETS

ROOT = Path(__file__).resolve().parents[3]
MAPPING = dict.fromkeys(['road', 'pavement', 'grass'], 'ground') | dict.fromkeys(['building', 'fence'], 'structure')
MAPPING |= dict(sky='sky', tree='nature', vehicle='object', person='object')


@pytest.fixture(scope='module')
def halves(load_script: Callable[[Path], ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn scenes in the place of CamVid."""
    folder = tmp_path_factory.mktemp('transfer')
    write_folder_dataset(folder / 'street', 'street', range(5), range(5, 7))
    (folder / 'mapping.json').write_text(json.dumps(MAPPING))
    tool = load_script(ROOT / 'tools' / 'benchmarks' / 'split_and_coarsen.py')
    tool.main([str(folder / 'street'), str(folder / 'mapping.json'), '--out', str(folder), '--name', 'camvid'])
    return folder


@pytest.fixture
def benchmark_(halves: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    monkeypatch.setenv('MMLMSEG_TRANSFER', str(halves))
    monkeypatch.chdir(ROOT)
    return Benchmark.from_file(ROOT / 'tools' / 'benchmarks' / 'transfer.yml')


def configs(benchmark: Benchmark, work_dir: Path) -> dict[str, Config]:
    """By method; each takes one run."""
    runs = list(benchmark.final_runs())
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
    assert list(found) == list(expected)
    for name, (trained, iterations) in expected.items():
        config = found[name]
        assert (
            config.train_cfg.max_iters == config.param_scheduler.end == 3 * config.train_cfg.val_interval == iterations
        )
        train, val = (DATASETS.build(config[f'{split}_dataloader'].dataset) for split in ('train', 'val'))
        assert (train.names, [space.name for space in train.spaces]) == (trained, trained)
        assert (val.names, [space.name for space in val.spaces]) == ([fine, 'transfer'], [fine, fine])
        assert [Path(folder).name for folder in config.model.decode_head.label_spaces] == [
            space.removeprefix('camvid_') for space in trained
        ]
        assert config.test_dataloader.dataset == config.val_dataloader.dataset
    coarse_images = {Path(val.get_data_info(i)['img_path']).name for i in range(val.sizes[0], len(val))}
    assert coarse_images == {
        Path(train.get_data_info(i)['img_path']).name for i in range(train.sizes[0], len(train))
    }  # the multi-head's: it trains on both


def test_tuning_never_sees_the_fine_labels_of_the_coarse_half(benchmark_: Benchmark, tmp_path: Path) -> None:
    tuned = dataclasses.replace(benchmark_, choices=({}, {'optim_wrapper.optimizer.lr': 1e-3}))
    run = next(tuned.tuning_runs())
    dataset = run_config(tuned, run, {}, tmp_path).val_dataloader.dataset
    assert dataset.names == ['camvid_fine']
    assert [(part.data_root.rsplit('/')[-1], part.split) for part in dataset.datasets] == [('fine', 'train')]


def test_what_cannot_be_scored_is_told_before_training(benchmark_: Benchmark, tmp_path: Path) -> None:
    for change, message in (
        (dict(scored=('camvid_fine', 'transfr')), r"no dataset 'transfr'.*Did you mean: transfer"),
        (dict(datasets=('camvid_coarse',), scored=('camvid_coarse', 'transfer')), 'has the label space of transfer'),
    ):
        benchmark = dataclasses.replace(benchmark_, **change)
        with pytest.raises(OptionError, match=message):
            run_config(benchmark, next(benchmark.final_runs()), {}, tmp_path)


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('scored: [transfer]', r'bad\.yml: scored names none of the datasets: camvid_fine, camvid_coarse'),
        ('readings: 7', r'bad\.yml: 300 iterations cannot be read 7 times'),
        ('readings: 9', r'bad\.yml: 300 iterations cannot be read 9 times'),
    ],
)
def test_unusable_files_are_named(tmp_path: Path, line: str, message: str) -> None:
    key = line.partition(':')[0]
    lines = (ROOT / 'tools' / 'benchmarks' / 'transfer.yml').read_text().splitlines()
    (tmp_path / 'bad.yml').write_text('\n'.join(line if old.startswith(f'{key}:') else old for old in lines))
    with pytest.raises(OptionError, match=message):
        Benchmark.from_file(tmp_path / 'bad.yml')


def test_a_method_of_other_length_is_read_as_often(tmp_path: Path) -> None:
    text = (ROOT / 'tools' / 'benchmarks' / 'transfer.yml').read_text().replace('iterations: 600', 'iterations: 500')
    (tmp_path / 'bad.yml').write_text(text)
    with pytest.raises(OptionError, match='500 iterations cannot be read 3 times'):
        Benchmark.from_file(tmp_path / 'bad.yml')


def line_of(benchmark: Benchmark, run: Run, score: float) -> dict[str, Any]:
    names = benchmark.scored_by(run)
    return dict(
        run=run.name,
        text='sentence bank',
        iterations=benchmark.length_of(run),
        scores={name: {'mIoU': score} for name in names},
        readings={name: {1: score, 2: score, 3: score} for name in names},
        resamples={name: [score] * 3 for name in names},
    )


def test_table_shows_costs_where_they_differ(benchmark_: Benchmark) -> None:
    def table(benchmark: Benchmark) -> list[list[str]]:
        lines = {run.name: line_of(benchmark, run, 10.0 * i) for i, run in enumerate(benchmark.final_runs(), 1)}
        text = make_report(benchmark, lines).to_markdown()
        return [[cell.strip() for cell in row.strip('|').split('|')] for row in text.splitlines()]

    head, _, *rows = table(benchmark_)
    assert head[:7] == ['method', 'models', 'text', 'iterations', 'camvid_fine', 'transfer', 'mean']
    assert [row[3] for row in rows] == ['600', '600', '300', '600']
    assert [row[6] for row in rows] == ['10.0', '20.0', '30.0', '**40.0**']
    assert {len(row) for row in rows} == {len(head)}
    same = dataclasses.replace(benchmark_, methods=benchmark_.methods[:2])
    assert 'iterations' not in table(same)[0]


@pytest.mark.slow
def test_a_run_scores_fine_labels_of_coarse_images(benchmark_: Benchmark, tmp_path: Path) -> None:
    loaders = [f'{split}_dataloader' for split in ('train', 'val', 'test')]
    small = {
        **{f'{loader}.{key}': value for loader in loaders for key, value in dict(num_workers=0, batch_size=2).items()},
        **{f'{loader}.persistent_workers': False for loader in loaders},
    }
    short = dataclasses.replace(benchmark_, iterations=1, readings=1, options=small)
    run = next(short.final_runs())
    line = execute(short, run, run_config(short, run, {}, tmp_path))
    assert line['iterations'] == 2
    assert list(line['scores']) == list(line['readings']) == list(line['resamples']) == ['camvid_fine', 'transfer']
    assert all(0 <= score['mIoU'] <= 100 for score in line['scores'].values())
