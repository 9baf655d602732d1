"""Table and curves against brute force over pixels of drawn images."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mmlmseg.errors import DataError
from mmlmseg.evaluation import SemanticIoU
from mmlmseg.lab.benchmark import Benchmark, Method, make_report
from mmlmseg.lab.benchmark.statistics import NUM_RESAMPLES, NUM_SEED_DRAWS, p_value, resampled_scores

SIZES = dict(x=7, y=7, z=5, new=6)  # validation images; z is trained on and not scored, new is scored only
BENCHMARK = Benchmark(
    name='bench',
    title='Some title',
    metric='mIoU',
    reference='Ours',
    datasets=('x', 'z', 'y'),
    scored=('y', 'new', 'x'),
    methods=(Method('rival', 'b.py'), Method('Ours', 'a.py'), Method('singles', 'b.py', alone=True)),
    iterations=100,
    seeds=(4, 9),
    readings=2,
)
Areas = Mapping[tuple[str, str, int], np.ndarray]
"""By method, dataset and seed: pixels in common, predicted and true, of each image and class, [n, 3, K]."""


@pytest.fixture(scope='module')
def areas() -> Areas:
    random, drawn = np.random.default_rng(0), {}
    for method in BENCHMARK.methods:
        for name, size in SIZES.items():
            for seed in BENCHMARK.seeds:
                common, only_here, only_there = random.integers(0, 40, (3, size, 4)) * random.integers(
                    0, 2, (3, size, 1)
                )
                drawn[method.name, name, seed] = np.stack([common, common + only_here, common + only_there], axis=1)
    return drawn


@pytest.fixture
def lines(written: str) -> dict[str, dict[str, Any]]:
    return json.loads(written)


@pytest.fixture(scope='module')
def written(areas: Areas) -> str:
    """What the runs would write; also, of a dataset that is not scored."""
    metric, lines = SemanticIoU(), {}
    for run in BENCHMARK.final_runs():
        names = list(run.scored)
        if run.dataset == 'y':
            names.remove('new')  # only the model of x knows its label space
        own = {name: torch.from_numpy(areas[run.method.name, name, run.seed]) for name in names}
        if run.dataset is None:
            own['z'] = torch.from_numpy(areas[run.method.name, 'z', run.seed])
        length = run.iterations
        final = {name: metric.headline(each.sum(0)) for name, each in own.items()}
        line = dict(
            run=run.name,
            iterations=length,
            batch_size=8,
            text='none',
            options={},
            scores={name: dict(mIoU=score, aAcc=1.0) for name, score in final.items()},
            readings={name: {length // 2: score / 2, length: score} for name, score in final.items()},
            resamples={name: resampled_scores(each, metric.headline) for name, each in own.items()},
        )
        lines[run.name] = line
    return json.dumps(lines)


def mean_iou(images: list[np.ndarray]) -> float:
    """In percent, of images [3, K]."""
    ious = []
    for k in range(images[0].shape[1]):
        common, predicted, true = (sum(int(image[row, k]) for image in images) for row in range(3))
        if predicted + true - common:
            ious.append(100 * common / (predicted + true - common))
    return statistics.fmean(ious)


def brute_force_mean(areas: Areas, method: str, draws: Mapping[str, Any], seed: int) -> float:
    """The mean over scored datasets, of some images of each."""
    return statistics.fmean(mean_iou([areas[method, name, seed][i] for i in draws[name]]) for name in ('x', 'y', 'new'))


def test_scores_means_and_deviations(areas: Areas, lines: dict[str, dict[str, Any]]) -> None:
    report = make_report(BENCHMARK, lines)
    assert [row.method for row in report.rows] == ['rival', 'Ours', 'singles']
    assert [row.models for row in report.rows] == [1, 1, 2]
    assert [row.cost for row in report.rows] == [300, 300, 200]  # z is trained on by the joint models only
    for row in report.rows:
        assert list(row.scores) == ['y', 'new', 'x']
        by_seed = []
        for seed in (4, 9):
            by_seed.append([mean_iou(list(areas[row.method, name, seed])) for name in row.scores])
        assert list(row.scores.values()) == pytest.approx([statistics.fmean(pair) for pair in zip(*by_seed)], abs=0.011)
        means = [statistics.fmean(scores) for scores in by_seed]
        assert row.mean == pytest.approx(statistics.fmean(means), abs=0.011)
        assert row.std == pytest.approx(statistics.stdev(means), abs=0.02)
    assert report.missing == []
    assert len(report.benchmark.seeds) == 2


@pytest.mark.parametrize('seeds', [(4, 9), (9,)])
def test_paired_differences(areas: Areas, lines: dict[str, dict[str, Any]], seeds: tuple[int, ...]) -> None:
    """Over the scored datasets, with the same seeds and images for both methods, also where one is trained alone."""
    draws = {name: np.random.default_rng(size).integers(0, size, (NUM_RESAMPLES, size)) for name, size in SIZES.items()}
    everything = {name: range(size) for name, size in SIZES.items()}
    report = make_report(replace(BENCHMARK, seeds=seeds), lines)
    rows = {row.method: row for row in report.rows}
    drawn_seeds = np.random.default_rng(2).integers(0, 2, (NUM_SEED_DRAWS, 2)).tolist() if len(seeds) > 1 else [[0]]

    def difference(method: str, images: Mapping[str, Any], seed: int) -> float:
        return brute_force_mean(areas, method, images, seed) - brute_force_mean(areas, 'Ours', images, seed)

    for method in ('rival', 'singles'):
        sets = [{name: own[r] for name, own in draws.items()} for r in range(NUM_RESAMPLES)]
        of_seeds = [[difference(method, images, seed) for images in sets] for seed in seeds]
        means = [statistics.fmean(of_seeds[s][r] for s in drawn) for drawn in drawn_seeds for r in range(NUM_RESAMPLES)]
        row = rows[method]
        assert row.interval == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.02)
        by_seed = [difference(method, everything, seed) for seed in seeds]
        assert row.difference == pytest.approx(statistics.fmean(by_seed), abs=0.02)
        if len(seeds) > 1:
            assert row.p == pytest.approx(p_value(np.array(means)), abs=0.01)
            assert row.by_seed == pytest.approx(by_seed, abs=0.02)
        else:
            assert (row.p, row.by_seed) == (None, ())
    ours = rows['Ours']
    assert (ours.difference, ours.interval, ours.p, ours.by_seed) == (None, None, None, ())


def test_a_constant_lead_has_no_spread(lines: dict[str, dict[str, Any]]) -> None:
    """Were the draws not paired, the interval would be as wide as those of the methods."""
    for seed in (4, 9):
        ours = lines[f'ours_seed{seed}']
        lines[f'rival_seed{seed}'] = {
            **ours,
            'scores': {name: dict(mIoU=score['mIoU'] + 3) for name, score in ours['scores'].items()},
            'resamples': {name: [value + 3 for value in values] for name, values in ours['resamples'].items()},
        }
    rival = make_report(BENCHMARK, lines).rows[0]
    assert (rival.difference, rival.interval, rival.by_seed) == (3.0, (3.0, 3.0), [3.0, 3.0])
    assert rival.p == pytest.approx(2 / (NUM_RESAMPLES + 1), abs=0.001)


def test_curves(lines: dict[str, dict[str, Any]]) -> None:
    report = make_report(BENCHMARK, lines)
    for row in report.rows:
        half, end = report.curves[row.method]
        assert (half['cost'], end['cost']) == (row.cost // 2, row.cost)
        assert (end['mean'], end['std']) == (row.mean, row.std)
        assert half['mean'] == pytest.approx(row.mean / 2, abs=0.011)
    del lines['singles_x_seed9']['readings']['x']['50']
    assert [point['cost'] for point in make_report(BENCHMARK, lines).curves['singles']] == [200]


def test_what_has_not_finished(lines: dict[str, dict[str, Any]]) -> None:
    assert make_report(BENCHMARK, {}).rows == []
    del lines['singles_y_seed9']
    report = make_report(BENCHMARK, lines)
    assert [row.method for row in report.rows] == ['rival', 'Ours']
    assert report.missing == ['singles_y_seed9']
    assert 'Not finished: singles_y_seed9.' in report.to_markdown()
    del lines['ours_seed4']
    (rival,) = make_report(BENCHMARK, lines).rows
    assert rival.difference is None


def test_lines_that_do_not_belong_together(lines: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(
        DataError, match=r"run 'rival_seed4' has iterations 300, the benchmark wants 600; delete its line"
    ):
        make_report(replace(BENCHMARK, iterations=200), lines)
    other = {**lines, 'singles_x_seed4': {**lines['singles_x_seed4'], 'batch_size': 4}}
    with pytest.raises(DataError, match=r"run 'singles_x_seed4' has batch_size 4, the benchmark wants 8"):
        make_report(BENCHMARK, other)
    for key in ('scores', 'readings', 'resamples'):
        lines['singles_y_seed4'][key]['new'] = lines['singles_x_seed4'][key]['new']
    with pytest.raises(DataError, match="dataset 'new' is scored by 2 models of a method"):
        make_report(BENCHMARK, lines)
    for key in ('scores', 'readings', 'resamples'):
        for name in ('x', 'y'):
            del lines[f'singles_{name}_seed4'][key]['new']
    with pytest.raises(DataError, match="dataset 'new' is scored by 0 models of a method"):
        make_report(BENCHMARK, lines)


MIXED = replace(
    BENCHMARK,
    metric='PIQ',
    datasets=('x', 'y'),
    scored=('both',),
    also=('x/mIoU', 'both/AP', 'new/mIoU'),
    methods=BENCHMARK.methods[1:],
    mixed=('both',),
)


@pytest.fixture
def mixed_lines() -> dict[str, dict[str, Any]]:
    """As runs of MIXED would write them; numbers count up with the runs, and keys are told apart by their hundreds."""
    lines = {}
    for number, run in enumerate(MIXED.final_runs(), 10):
        scores = dict(both=dict(PIQ=float(number), AP=100.0 + number), x=dict(mIoU=200.0 + number, PQ=1.0))
        scores['new'] = dict(mIoU=300.0 + number)
        unknown = () if run.dataset is None else ('both', 'new')
        names = [name for name in run.evaluated if name not in unknown]
        length = run.iterations
        readings = {str(length): float(number)} | ({} if run.members else {str(length // 2): 5.0})
        lines[run.name] = dict(
            run=run.name,
            members=[member.name for member in run.members],
            iterations=length,
            batch_size=8,
            text='none',
            options={},
            scores={name: scores[name] for name in names},
            readings={'both': readings} if 'both' in names else {},
            resamples={'both': [number - 1, number, number + 1]} if 'both' in names else {},
        )
    return lines


def test_models_that_answer_together(mixed_lines: dict[str, dict[str, Any]]) -> None:
    """They cost what their trainings cost, and are read once, at the end."""
    assert list(mixed_lines)[:4] == ['ours_seed4', 'singles_x_seed4', 'singles_y_seed4', 'singles_union_seed4']
    report = make_report(MIXED, mixed_lines)
    ours, singles = report.rows
    assert (singles.models, singles.cost, ours.models, ours.cost) == (2, 200, 1, 200)
    assert len(singles.options) == 2
    assert (ours.scores, singles.scores) == ({'both': 12.0}, {'both': 15.0})  # runs 10 and 14, 13 and 17
    assert ours.also == {'x/mIoU': 212.0, 'both/AP': 112.0, 'new/mIoU': 312.0}
    assert singles.also == {'x/mIoU': 213.0, 'both/AP': 115.0, 'new/mIoU': None}  # runs 11 and 15, 13 and 17
    assert (singles.difference, singles.interval) == (3.0, (3.0, 3.0))
    assert [(point['cost'], point['mean']) for point in report.curves['Ours']] == [(100, 5.0), (200, 12.0)]
    assert [(point['cost'], point['mean']) for point in report.curves['singles']] == [(200, 15.0)]
    head, first, second = table_cells(report.to_markdown())
    further = ['x/mIoU', 'both/AP', 'new/mIoU']
    assert head == ['method', 'models', 'text', 'both', 'minus Ours [95 %]', 'p', 'by seed', *further]
    assert first[3:] == ['12.0 ± 2.8', '-', '-', '-', '212.0', '112.0', '312.0']
    assert second[3:] == ['**15.0** ± 2.8', '+3.0 [+3.0, +3.0]', '0.500', '+3.0, +3.0', '213.0', '115.0', '-']
    assert json.loads(json.dumps(report.to_dict()))['rows'][1]['also'] == singles.also
    del mixed_lines['singles_union_seed9']
    assert make_report(MIXED, mixed_lines).missing == ['singles_union_seed9']


def test_columns_that_nobody_measured(mixed_lines: dict[str, dict[str, Any]]) -> None:
    for also, message in (
        ('x/miou', r"run 'ours_seed4' has no x/miou, .*, only both/PIQ, .* Did you mean: x/mIoU"),
        ('y/mIoU', r"run 'ours_seed4' has no y/mIoU, which `also` asks for"),
    ):
        with pytest.raises(DataError, match=message):
            make_report(replace(MIXED, also=(also,)), mixed_lines)
    lost = mixed_lines['singles_x_seed9']['scores'].pop('x')
    with pytest.raises(DataError, match="run 'singles_x_seed9' has no x/mIoU, .* or delete the line to do the run"):
        make_report(MIXED, mixed_lines)
    mixed_lines['singles_x_seed9']['scores']['x'] = lost
    for name in ('x', 'y'):
        mixed_lines[f'singles_{name}_seed9']['scores']['new'] = dict(mIoU=1.0)
    with pytest.raises(DataError, match="dataset 'new' is scored by 2 models of a method"):
        make_report(MIXED, mixed_lines)


def test_any_score_makes_a_column(mixed_lines: dict[str, dict[str, Any]]) -> None:
    """Of whatever metric: it is looked up by its key."""
    for number, line in enumerate(mixed_lines.values()):
        if 'x' in line['scores']:
            line['scores']['x']['mDice'] = 60.0 + number
    head, first, second = table_cells(make_report(replace(MIXED, also=('x/mDice',)), mixed_lines).to_markdown())
    assert (head[-1], first[-1], second[-1]) == ('x/mDice', '62.0', '63.0')  # runs 0 and 4, 1 and 5


def table_cells(markdown: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip('|').split('|')] for line in markdown.splitlines() if line.startswith('| ')
    ]


def test_markdown(lines: dict[str, dict[str, Any]]) -> None:
    report = make_report(BENCHMARK, lines)
    shown = report.to_markdown()
    head, *rows = table_cells(shown)
    assert head[:8] == ['method', 'models', 'text', 'iterations', 'y', 'new', 'x', 'mean']
    assert head[8:] == ['minus Ours [95 %]', 'p', 'by seed']
    best = {name: max(row.scores[name] for row in report.rows) for name in ('y', 'new', 'x')}
    for cells, row in zip(rows, report.rows, strict=True):
        assert cells[:4] == [row.method, str(row.models), 'none', str(row.cost)]
        for name, cell in zip(('y', 'new', 'x'), cells[4:7]):
            assert cell == (
                f'**{row.scores[name]:.1f}**' if row.scores[name] == best[name] else f'{row.scores[name]:.1f}'
            )
        assert cells[7].strip('*').replace('*', '') == f'{row.mean:.1f} ± {row.std:.1f}'
        if row.method == 'Ours':
            assert cells[8:] == ['-', '-', '-']
        else:
            assert row.interval is not None
            assert cells[8] == f'{row.difference:+.1f} [{row.interval[0]:+.1f}, {row.interval[1]:+.1f}]'
            assert row.p is not None
            assert cells[9].strip('*') == f'{row.p:.3f}'
            assert cells[9].startswith('**') == (row.p < 0.05)
            assert cells[10] == ', '.join(f'{value:+.1f}' for value in row.by_seed)
    assert shown.startswith('### Some title\n')
    assert 'mIoU in percent; iterations of 8 images for each method; mean over 2 seeds ± standard deviation.' in shown
    assert 'when seeds and validation images are drawn again' in shown


def test_columns_by_definitions_of_our_own_are_named(lines: dict[str, dict[str, Any]]) -> None:
    benchmark = replace(BENCHMARK, also=('x/aAcc', 'y/aAcc'))
    assert make_report(benchmark, lines).kinds == {}  # lines of earlier versions say nothing
    for line in lines.values():
        line['kinds'] = {name: dict(mIoU='comparable', aAcc='ours') for name in line['scores']}
    report = make_report(benchmark, lines)
    assert report.to_dict()['kinds'] == {'mIoU': 'comparable', 'x/aAcc': 'ours', 'y/aAcc': 'ours'}
    assert 'By definitions of our own, not those of the literature: x/aAcc, y/aAcc.' in report.to_markdown()


def test_markdown_of_one_cost_and_seed_with_choices(lines: dict[str, dict[str, Any]]) -> None:
    for line in lines.values():
        line['options'] = {'lr': 1}
    methods = BENCHMARK.methods[:2]
    report = make_report(replace(BENCHMARK, seeds=(4,), methods=methods, choices=({'lr': 1}, {'lr': 2})), lines)
    shown = report.to_markdown()
    head, first, _ = table_cells(shown)
    assert head[3:5] == ['y', 'new']
    assert '±' not in first[-2]
    assert head[-1] == 'minus Ours [95 %]'  # images alone give no p
    assert 'when validation images are drawn again' in shown
    assert report.rows[0].std is None
    assert report.rows[0].options == [{'lr': 1}]
    settings = 'with the best of 2 settings on held-out training images'
    assert f'300 iterations of 8 images for each method, {settings}; one seed.' in shown


def test_report_is_plain_data(lines: dict[str, dict[str, Any]]) -> None:
    report = make_report(BENCHMARK, lines)
    written = json.loads(json.dumps(report.to_dict()))
    assert written['rows'][0]['scores'] == report.rows[0].scores
    assert written['metric'] == 'mIoU'
    assert written['curves'] == report.curves
    assert 'also' not in written['rows'][0]
    assert written['rows'][0]['p'] == report.rows[0].p
    assert 'p' not in written['rows'][1]  # of the reference
