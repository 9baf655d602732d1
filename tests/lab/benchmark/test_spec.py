"""Benchmarks from files, the errors on the way, and the runs that they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmlmseg.errors import OptionError
from mmlmseg.lab.benchmark import Benchmark
from mmlmseg.lab.benchmark.config import method_config
from mmlmseg.lab.benchmark.spec import fill

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
    both = 'dict(type="mmlmseg.MultiSpaceFolderDataset", folders=[dict(data_root="x"), dict(data_root="y")])'
    datasets = ', '.join([*single.values(), both])
    (tmp_path / 'a.py').write_text(
        f'val_dataloader = dict(dataset=dict(names={[*single, "both"]}, datasets=[{datasets}]))'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_clash5_semantic() -> None:
    benchmark = Benchmark.from_file(FOLDER / 'clash5_semantic.yml')
    assert benchmark.name == 'clash5_semantic'
    lengths = {run.name: run.iterations for run in benchmark.runs()}
    alone = {
        f'maskformer_{name}_seed0': 300 for name in ('camvid11', 'labelmefacade', 'msrc_v2', 'paris_artdeco', 'ccp')
    }
    joint = ('lmseg', 'lmseg-with-random-synonyms', 'multi-head', 'manual-taxonomy')
    assert lengths == {**{f'{name}_seed0': 1500 for name in joint}, **alone}


MIXED = dict(
    clash5_main=(),
    clash5_semantic=(),
    clash5_encoder_only=(),
    **{'clash5_learning-rate': ()},
    clash3_panoptic=(),
    transfer=(),
    transfer_relations=(),
    mixed_streets=('streets',),
    mixed_facades=('facades',),
    mixed_people=('garments', 'people'),
    mixed_scenes=('scenes',),
    **{f'leave_one_out_{name}': () for name in ('camvid11', 'labelmefacade', 'msrc_v2', 'paris_artdeco', 'ccp')},
)
MEASURED = dict(
    SemanticIoU={'mIoU'}, PanopticQuality={'PQ'}, PanopticInstanceQuality={'PIQ', 'PIQ_th', 'PIQ_st'}, InstanceAP={'AP'}
)


def test_every_benchmark_here_is_listed() -> None:
    files = {path.stem for path in FOLDER.glob('*.yml')}
    assert files == MIXED.keys()


@pytest.mark.parametrize('name', MIXED)
def test_benchmarks_here_can_be_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER.parents[1])
    benchmark = Benchmark.from_file(FOLDER / f'{name}.yml')
    assert benchmark.mixed == MIXED[name]
    for method in benchmark.methods:
        evaluator = method_config(benchmark, method, {}).val_evaluator
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
            cost[run.method.name] += run.iterations * (run.seed == seed)
        assert cost == {'Ours': 18, 'theirs': 18}


def test_a_methods_own_length(tmp_path: Path) -> None:
    methods = [dict(name='Ours', config='a.py'), dict(name='twice', config='a.py', iterations=12)]
    benchmark = read(tmp_path, methods=methods, readings=3)
    assert [run.iterations for run in benchmark.runs()] == [12, 24]


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
    found = {run.name: (run.trained, run.scored) for run in benchmark.runs()}
    assert found == {
        'ours_seed0': (('x', 'y', 'z'), ('x', 'z', 'new')),
        'theirs_x_seed0': (('x',), ('x', 'new')),
        'theirs_z_seed0': (('z',), ('z', 'new')),
    }


def test_further_columns_are_evaluated_and_not_scored(folder: Path) -> None:
    changes = dict(datasets=['x', 'y', 'z'], scored=['x'], also=['x/aAcc', 'y/mIoU', 'new/mIoU'])
    benchmark = read(folder, **changes)
    assert benchmark.evaluated_datasets == ('x', 'y', 'new')
    found = {run.name: (run.scored, run.evaluated) for run in benchmark.runs()}
    assert found == {'ours_seed0': (('x',), ('x', 'y', 'new')), 'theirs_x_seed0': (('x',), ('x', 'new'))}
    for run in read(folder, **changes, choices=[{'a': 1}, {'a': 2}]).tuning_runs():
        assert run.evaluated == ('x',)


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
    evaluated = [run.evaluated for run in runs[:5]]
    assert evaluated == [('x', 'both', 'z'), ('x', 'both'), ('both',), ('both', 'z'), ('both',)]
    assert [run.scored for run in runs[3:5]] == [('both',), ('both',)]
    assert [run.iterations for run in runs[:5]] == [18, 6, 6, 6, 18]
    assert runs[4].trained == ('x', 'y', 'z')
    only_mixed = read(folder, scored=['both'], metric='PIQ')
    assert [run.name for run in only_mixed.runs()] == ['ours_seed0', *singles[:2], 'theirs_union_seed0']
    assert read(folder, also=['both/PIQ']).runs()[-1].name == 'theirs_union_seed0'


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(itertions=5), "unknown key 'itertions'. Did you mean: iterations"),
        (dict(iterations='5'), "iterations: must be a whole number, got '5'"),
        (dict(methods=[dict(name='Ours', cfg='a.py')]), "methods, entry 1: unknown key 'cfg'. Did you mean: config"),
        (dict(methods=[dict(config='a.py')]), "methods, entry 1: lacks the key 'name'"),
        (dict(methods=[dict(name='Ours')]), "methods: 'Ours' needs a config or a model, one of them"),
        (dict(data='d', methods=[dict(name='Ours', config='a.py', model='m')]), "methods: 'Ours' needs a config or a"),
        (dict(methods=[dict(name='Ours', model='m')]), "data is missing: the model of 'Ours' is trained on a file of"),
        (dict(options=['a']), r"options: must be keys with values, got \['a'\]"),
        (dict(choices=[{'a': 1}, 'b']), "choices, entry 2: must be keys with values, got 'b'"),
        (dict(name='other'), "unknown key 'name'"),
        (dict(metric='miou'), "metric is 'miou'; choose from PIQ, PQ, mIoU"),
        (dict(also=['x/mIoU', 'x/mIoU']), 'also lists x/mIoU more than once'),
        (dict(also=['mIoU']), "also: 'mIoU' is not written DATASET/KEY, as in camvid11/PQ"),
        (dict(also=['x/']), "also: 'x/' is not written"),
        (dict(also=['x/IoU.tree']), "also: 'x/IoU.tree' is the result of a single class"),
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
        (dict(unseen=['x'], scored=['x']), "unseen: 'x' must be one of scored, and none of datasets"),
        (dict(unseen=['q']), "unseen: 'q' must be one of scored, and none of datasets"),
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


@dataclass(frozen=True)
class Item:
    name: str
    new: bool = False


@dataclass(frozen=True)
class Box:
    file: str
    items: tuple[Item, ...]
    sizes: tuple[int, ...] = ()
    limit: int | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


def test_fills_every_kind_of_field() -> None:
    content = dict(items=[dict(name='a', new=True), dict(name='b')], sizes=[1, 2], limit=3, notes={'x.y': [4]})
    box = fill(Box, content, 'box.yml', file='f')
    assert box == Box('f', (Item('a', True), Item('b')), (1, 2), 3, {'x.y': [4]})
    assert fill(Box, dict(items=[], limit=None), 'box.yml', file='f') == Box('f', ())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'box.yml: must be keys with values, got None'),
        ([1], r'box.yml: must be keys with values, got \[1\]'),
        (dict(items=[], size=[1]), "box.yml: unknown key 'size'. Did you mean: sizes"),
        (dict(items=[], colour=1), "box.yml: unknown key 'colour'. Known: items, sizes, limit, notes"),
        (dict(items=[], file='g'), "box.yml: unknown key 'file'"),
        ({1: 2}, 'box.yml: unknown key 1'),
        (dict(sizes=[1]), "box.yml: lacks the key 'items'"),
        (dict(items='a'), "box.yml: items: must be a list, got 'a'"),
        (dict(items=['a']), "box.yml: items, entry 1: must be keys with values, got 'a'"),
        (dict(items=[dict(name='a'), dict(name=3)]), 'box.yml: items, entry 2: name: must be text, got 3'),
        (dict(items=[dict(new=True)]), "box.yml: items, entry 1: lacks the key 'name'"),
        (dict(items=[dict(name='a', new=1)]), 'new: must be true or false, got 1'),
        (dict(items=[], sizes=[1, 2.5]), 'box.yml: sizes, entry 2: must be a whole number, got 2.5'),
        (dict(items=[], sizes=[True]), 'must be a whole number, got True'),
        (dict(items=[], limit='3'), "box.yml: limit: must be a whole number, got '3'"),
        (dict(items=[], notes=[]), r'box.yml: notes: must be keys with values, got \[\]'),
    ],
)
def test_errors_name_the_key(content: object, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        fill(Box, content, 'box.yml', file='f')
