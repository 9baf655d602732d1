"""Benchmarks from files, and the runs that they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from mmengine.config import Config

from mmlmseg.errors import OptionError
from mmlmseg.lab.benchmark import Benchmark

FOLDER = Path(__file__).resolve().parents[3] / 'tools' / 'benchmarks'


def content(**changes: Any) -> dict[str, Any]:
    """Two methods on two datasets."""
    methods = [dict(name='Ours', config='a.py'), dict(name='theirs', config='b.py', alone=True)]
    basic = dict(title='T', metric='mIoU', reference='Ours', datasets=['x', 'y'], methods=methods, iterations=6)
    return {**basic, **changes}


def read(folder: Path, **changes: Any) -> Benchmark:
    path = folder / 'some_bench.yml'
    path.write_text(yaml.safe_dump(content(**changes)))
    return Benchmark.from_file(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the reference's config: it tells which datasets are mixed."""
    single = {name: f'dict(type="FolderDataset", data_root={name!r})' for name in ('x', 'y', 'z', 'new')}
    both = 'dict(type="mmlmseg.MixedFolderDataset", folders=[dict(data_root="x"), dict(data_root="y")])'
    datasets = ', '.join([*single.values(), both])
    (tmp_path / 'a.py').write_text(
        f'val_dataloader = dict(dataset=dict(names={[*single, "both"]}, datasets=[{datasets}]))'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_clash5_semantic() -> None:
    benchmark = Benchmark.from_file(FOLDER / 'clash5_semantic.yml')
    assert benchmark.name == 'clash5_semantic'
    lengths = {run.name: benchmark.length_of(run) for run in benchmark.runs()}
    alone = {
        f'maskformer_{name}_seed0': 300 for name in ('camvid11', 'labelmefacade', 'msrc_v2', 'paris_artdeco', 'ccp')
    }
    joint = ('lmseg', 'lmseg-with-random-synonyms', 'multi-head', 'manual-taxonomy')
    assert lengths == {**{f'{name}_seed0': 1500 for name in joint}, **alone}


MIXED = dict(
    clash5_semantic=(),
    clash3_panoptic=(),
    transfer=(),
    mixed_streets=('streets',),
    mixed_facades=('facades',),
    mixed_people=('garments', 'people'),
    mixed_scenes=('scenes',),
)
MEASURED = dict(
    SemanticIoU={'mIoU'}, PanopticQuality={'PQ'}, PanopticInstanceQuality={'PIQ', 'PIQ_th', 'PIQ_st'}, InstanceAP={'AP'}
)


def test_every_benchmark_here_is_listed() -> None:
    files = {path.stem for path in FOLDER.glob('*.yml') if not path.stem.endswith('_coarse')}
    assert files == MIXED.keys()


@pytest.mark.parametrize('name', MIXED)
def test_benchmarks_here_can_be_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER.parents[1])
    benchmark = Benchmark.from_file(FOLDER / f'{name}.yml')
    assert benchmark.mixed == MIXED[name]
    for config in {method.config for method in benchmark.methods}:
        evaluator = Config.fromfile(config).val_evaluator
        for column in (*benchmark.also, *(f'{scored}/{benchmark.metric}' for scored in benchmark.scored_datasets)):
            dataset, key = column.split('/')
            metrics = evaluator.get('per_dataset', {}).get(dataset, evaluator.metrics)
            kinds = [metric.type.split('.')[1] for metric in (metrics if isinstance(metrics, list) else [metrics])]
            assert key in set().union(*(MEASURED[kind] for kind in kinds)), column


def test_all_methods_cost_the_same(tmp_path: Path) -> None:
    benchmark = read(tmp_path, seeds=[3, 4], datasets=['x', 'y', 'z'])
    for seed in (3, 4):
        cost = dict.fromkeys(['Ours', 'theirs'], 0)
        for run in benchmark.final_runs():
            cost[run.method.name] += benchmark.length_of(run) * (run.seed == seed)
        assert cost == {'Ours': 18, 'theirs': 18}


def test_a_methods_own_length(tmp_path: Path) -> None:
    methods = [dict(name='Ours', config='a.py'), dict(name='twice', config='a.py', iterations=12)]
    benchmark = read(tmp_path, methods=methods, readings=3)
    assert [benchmark.length_of(run) for run in benchmark.runs()] == [12, 24]


def test_runs_with_choices(tmp_path: Path) -> None:
    benchmark = read(tmp_path, seeds=[5, 6], choices=[{'lr': 1}, {'lr': 2}])
    tuning = [f'{run}_choice{i}_seed5' for i in (0, 1) for run in ('ours', 'theirs_x', 'theirs_y')]
    final = [f'{run}_seed{seed}' for seed in (5, 6) for run in ('ours', 'theirs_x', 'theirs_y')]
    assert [run.name for run in benchmark.runs()] == tuning + final
    assert [run.choice for run in benchmark.tuning_runs()] == [0, 0, 0, 1, 1, 1]
    assert [run.dataset for run in benchmark.final_runs()] == [None, 'x', 'y'] * 2
    assert {run.choice for run in benchmark.final_runs()} == {None}


def test_what_is_scored(folder: Path) -> None:
    """An unscored dataset is trained on by joint models only; one that is never trained on is scored by all."""
    benchmark = read(folder, datasets=['x', 'y', 'z'], scored=['x', 'z', 'new'])
    assert benchmark.mixed == ()
    found = {run.name: (benchmark.trained_on(run), benchmark.scored_by(run)) for run in benchmark.runs()}
    assert found == {
        'ours_seed0': (('x', 'y', 'z'), ('x', 'z', 'new')),
        'theirs_x_seed0': (('x',), ('x', 'new')),
        'theirs_z_seed0': (('z',), ('z', 'new')),
    }


def test_further_columns_are_evaluated_and_not_scored(folder: Path) -> None:
    changes = dict(datasets=['x', 'y', 'z'], scored=['x'], also=['x/aAcc', 'y/mIoU', 'new/mIoU'])
    benchmark = read(folder, **changes)
    assert benchmark.evaluated_datasets == ('x', 'y', 'new')
    found = {run.name: (benchmark.scored_by(run), benchmark.evaluated_by(run)) for run in benchmark.runs()}
    assert found == {'ours_seed0': (('x',), ('x', 'y', 'new')), 'theirs_x_seed0': (('x',), ('x', 'new'))}
    for run in read(folder, **changes, choices=[{'a': 1}, {'a': 2}]).tuning_runs():
        assert benchmark.evaluated_by(run) == ('x',)


def test_models_of_one_dataset_each_answer_together(folder: Path) -> None:
    """For what is mixed they are all needed, so all are trained, and then evaluated as one."""
    benchmark = read(
        folder, datasets=['x', 'y', 'z'], scored=['x', 'both'], metric='PIQ', also=['z/PQ', 'both/AP'], seeds=[0, 1]
    )
    assert benchmark.mixed == ('both',)
    runs = benchmark.runs()
    singles = ['theirs_x_seed0', 'theirs_y_seed0', 'theirs_z_seed0']
    assert [run.name for run in runs][:5] == ['ours_seed0', *singles, 'theirs_union_seed0']
    assert len(runs) == 10
    assert [member.name for member in runs[4].members] == singles
    assert not any(run.members for run in runs[:4])
    evaluated = [benchmark.evaluated_by(run) for run in runs[:5]]
    assert evaluated == [('x', 'both', 'z'), ('x', 'both'), ('both',), ('both', 'z'), ('both',)]
    assert [benchmark.scored_by(run) for run in runs[3:5]] == [('both',), ('both',)]
    assert [benchmark.length_of(run) for run in runs[:5]] == [18, 6, 6, 6, 18]
    assert benchmark.trained_on(runs[4]) == ('x', 'y', 'z')
    only_mixed = read(folder, scored=['both'], metric='PIQ')
    assert [run.name for run in only_mixed.runs()] == ['ours_seed0', *singles[:2], 'theirs_union_seed0']
    assert read(folder, also=['both/PIQ']).runs()[-1].name == 'theirs_union_seed0'


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(itertions=5), "unknown key 'itertions'. Did you mean: iterations"),
        (dict(iterations='5'), "iterations: must be a whole number, got '5'"),
        (dict(methods=[dict(name='Ours', cfg='a.py')]), "methods, entry 1: unknown key 'cfg'. Did you mean: config"),
        (dict(methods=[dict(name='Ours')]), "methods, entry 1: lacks the key 'config'"),
        (dict(options=['a']), r"options: must be keys with values, got \['a'\]"),
        (dict(choices=[{'a': 1}, 'b']), "choices, entry 2: must be keys with values, got 'b'"),
        (dict(name='other'), "unknown key 'name'"),
        (dict(metric='miou'), "metric is 'miou'; choose from mIoU, PQ, PIQ"),
        (dict(also=['x/mIoU', 'x/mIoU']), 'also lists x/mIoU more than once'),
        (dict(also=['mIoU']), "also: 'mIoU' is not written DATASET/KEY, as in camvid11/PQ"),
        (dict(also=['x/']), "also: 'x/' is not written"),
        (dict(scored=['x', 'both'], choices=[{}, {'a': 1}]), r'choices are made on .*; leave them out where both is'),
        (dict(reference='Our'), "reference is 'Our', none of the methods: Ours, theirs. Did you mean: Ours"),
        (dict(datasets=[]), 'datasets lists nothing'),
        (dict(seeds=[]), 'seeds lists nothing'),
        (dict(methods=[]), 'methods lists nothing'),
        (dict(seeds=[1, 2, 1]), 'seeds lists 1 more than once'),
        (dict(datasets=['x', 'x']), 'datasets lists x more than once'),
        (dict(scored=['x', 'x']), 'scored lists x more than once'),
        (dict(methods=[dict(name='Ours', config='a'), dict(name='ours', config='b')]), 'methods lists ours more than'),
        (dict(scored=['z']), 'scored names none of the datasets: x, y'),
        (dict(readings=4), 'iterations: 6 cannot be read 4 times'),
        (dict(readings=0), 'readings is 0'),
        (dict(iterations=0), 'iterations: 0 cannot be read'),
        (dict(methods=[dict(name='Ours', config='a', iterations=5)], readings=2), 'iterations: 5 cannot be read 2'),
        (dict(choices=[{'a': 1}]), 'choices holds one entry'),
    ],
)
def test_faults_name_file_and_key(folder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=f'some_bench.yml: {message}'):
        read(folder, **changes)


def test_files_that_hold_no_benchmark(tmp_path: Path) -> None:
    (tmp_path / 'bench.yml').write_text('title: [')
    with pytest.raises(OptionError, match='bench.yml: not valid YAML'):
        Benchmark.from_file(tmp_path / 'bench.yml')
    (tmp_path / 'bench.yml').write_text('')
    with pytest.raises(OptionError, match='bench.yml: must be keys with values, got None'):
        Benchmark.from_file(tmp_path / 'bench.yml')
    with pytest.raises(OptionError, match='banch.yml: no such benchmark file. Did you mean: bench.yml'):
        Benchmark.from_file(tmp_path / 'banch.yml')
