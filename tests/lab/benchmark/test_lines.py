"""The file of finished runs, and what is chosen by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmlmseg.errors import DataError, OptionError
from mmlmseg.lab.benchmark import Benchmark, Method, append_line, chosen_options, read_lines


def test_lines_come_back(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'lines.jsonl'
    assert read_lines(path) == {}
    lines = [dict(run='a', readings={5: 1.0}), dict(run='b'), dict(run='a', readings={5: 2.0})]
    for line in lines:
        append_line(path, line)
    assert read_lines(path) == {'a': dict(run='a', readings={'5': 2.0}), 'b': dict(run='b')}


@pytest.mark.parametrize('damaged', ['{"run": "b", "sco', '', '{"ran": "b"}', '[1]', '3'])
def test_damaged_lines(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / 'lines.jsonl'
    append_line(path, dict(run='a'))
    path.write_text(path.read_text() + damaged + '\n')
    with pytest.raises(DataError, match=r'lines\.jsonl, line 2: is no finished run; delete the line'):
        read_lines(path)


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
