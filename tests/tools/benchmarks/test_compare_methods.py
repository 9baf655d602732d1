"""The tool as a user calls it: every run once, on from where it was stopped, then table and figure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from mmlmseg.lab.benchmark import append_result, read_results
from mmlmseg.lab.scenes import write_folder_dataset

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / 'tools' / 'benchmarks' / 'compare_methods.py'
RUNS = ['lmseg_seed0', 'single_street_seed0', 'single_facade_seed0']

CONFIG = """
_base_ = [
    '{base}/models/{model}.py',
    '{base}/datasets/clash5.py',
    '{base}/schedules/adamw_poly_4500.py',
    '{base}/default_runtime.py',
]
custom_imports = dict(imports=['kill_once'])
custom_hooks = [dict(type='KillOnce')]
data_root = {data!r}
roots = [data_root + '/street', data_root + '/facade']
model = dict(
    backbone=dict(base_channels=8),
    decode_head=dict(
        in_channels=[8, 16, 32, 64],
        channels=32,
        queries=dict(num_queries=4),
        decoder=dict(num_layers=1, ffn_channels=32),
    ),
)
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
folder = dict(type='mmlmseg.FolderDataset', pipeline=load)
train_sets = [dict(folder, data_root=root, split='train') for root in roots]
val_sets = [dict(folder, data_root=root, split='val') for root in roots]
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(datasets=train_sets))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(datasets=val_sets))
test_dataloader = val_dataloader
default_hooks = dict(checkpoint=dict(interval=1))
"""

KILL_ONCE = """
import os
import signal
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

import mmlmseg


@HOOKS.register_module()
class KillOnce(Hook):
    '''Kills the first process that gets to the second step.'''

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 1 and not Path('killed').exists():
            Path('killed').touch()
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(SCRIPT)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark of two methods in the working directory, without its data."""
    for name, model in (('ours', 'lmseg_r18'), ('single', 'maskformer_r18')):
        text = CONFIG.format(base=ROOT / 'configs' / '_base_', model=model, data=str(tmp_path / 'data'))
        (tmp_path / f'{name}.py').write_text(text)
    methods = [dict(name='LMSeg', config='ours.py'), dict(name='single', config='single.py', alone=True)]
    content = dict(title='Tiny', metric='mIoU', reference='LMSeg', datasets=['street', 'facade'], methods=methods)
    (tmp_path / 'tiny.yml').write_text(yaml.safe_dump({**content, 'iterations': 2, 'readings': 2}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-W', 'ignore', str(SCRIPT), 'tiny.yml', '--results', 'out', *options]
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), str(Path.cwd())])}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)


@pytest.mark.slow
def test_interrupted_and_called_again(bench: Path) -> None:
    (bench / 'kill_once.py').write_text(KILL_ONCE)
    for space in ('street', 'facade'):
        write_folder_dataset(bench / 'data' / space, space, range(4), range(4, 6), size=(64, 64))

    killed = call()
    assert killed.returncode == 128 + signal.SIGKILL, killed.stderr[-3000:]
    assert f'error: run lmseg_seed0 ended with status {-signal.SIGKILL}' in killed.stderr.splitlines()[-1]
    assert read_results(bench / 'out' / 'tiny.jsonl') == {}

    done = call()
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'resumed epoch: 0, iter: 1' in done.stdout + done.stderr
    lines = read_results(bench / 'out' / 'tiny.jsonl')
    assert list(lines) == RUNS
    assert [line['iterations'] for line in lines.values()] == [4, 2, 2]
    assert [line['seconds'] is None for line in lines.values()] == [True, False, False]
    report = json.loads((bench / 'out' / 'tiny.json').read_text())
    rows = {row['method']: row for row in report['rows']}
    assert [(name, row['models'], row['cost']) for name, row in rows.items()] == [('LMSeg', 1, 4), ('single', 2, 4)]
    for name in ('street', 'facade'):
        assert rows['LMSeg']['scores'][name] == lines['lmseg_seed0']['scores'][name]['mIoU']
        assert rows['single']['scores'][name] == lines[f'single_{name}_seed0']['scores'][name]['mIoU']
    low, high = rows['single']['interval']
    assert low <= high
    assert [point['cost'] for point in report['curves']['single']] == [2, 4]
    assert (bench / 'out' / 'tiny.png').stat().st_size > 1000
    table = (bench / 'out' / 'tiny.md').read_text()
    assert table.startswith('### Tiny\n')
    assert table in done.stdout


def line(run: str, iterations: int, names: Sequence[str]) -> dict[str, Any]:
    readings = {str(iterations // 2): 10.0, str(iterations): 20.0}
    return dict(
        run=run,
        iterations=iterations,
        batch_size=2,
        text='none',
        options={},
        scores={name: dict(mIoU=20.0) for name in names},
        readings=dict.fromkeys(names, readings),
        resamples={name: [19.0, 20.0] for name in names},
    )


@pytest.fixture
def children(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs that are started; those of facade fail. None is done, and no signal handler stays."""
    started: list[str] = []

    def run(command: list[str], check: bool) -> SimpleNamespace:
        started.append(command[-1])
        if 'facade' in command[-1]:
            return SimpleNamespace(returncode=3)
        names = ['street', 'facade'] if 'lmseg' in command[-1] else ['street']
        append_result('out/tiny.jsonl', line(command[-1], 2 * len(names), names))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(tool, 'subprocess', SimpleNamespace(run=run))
    monkeypatch.setattr(tool, 'check_fairness', lambda benchmark: None)
    monkeypatch.setattr(tool.signal, 'signal', lambda *_: None)
    return started


def test_a_run_that_fails_ends_the_tool_with_its_status(
    tool: ModuleType, bench: Path, children: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ['tiny.yml', '--results', 'out']
    assert tool.main(arguments) == 3
    assert children == RUNS
    errors = capsys.readouterr().err
    assert errors == 'error: run single_facade_seed0 ended with status 3; the same command goes on there\n'
    assert tool.main(arguments) == 3
    assert children == [*RUNS, RUNS[-1]]  # the others have lines
    assert tool.main([*arguments, '--report']) == 0
    assert len(children) == 4
    assert '| LMSeg | 1 | none | **20.0** | **20.0** | **20.0** | - |' in capsys.readouterr().out
    assert (bench / 'out' / 'tiny.png').is_file()
    append_result('out/tiny.jsonl', line(RUNS[-1], 2, ['facade']))
    assert tool.main(arguments) == 0
    assert len(children) == 4
    assert '| single | 2 |' in (bench / 'out' / 'tiny.md').read_text()


def test_one_seed_at_a_time(
    tool: ModuleType, bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its runs and its table, with whatever was chosen by the first seed; the list says what is done."""
    content = yaml.safe_load((bench / 'tiny.yml').read_text())
    (bench / 'tiny.yml').write_text(yaml.safe_dump({**content, 'seeds': [3, 4, 5], 'choices': [{}, {'a': 1}]}))
    started: list[str] = []

    def run(command: list[str], check: bool) -> SimpleNamespace:
        started.append(command[-1])
        names = [name for name in ('street', 'facade') if name in command[-1] or 'lmseg' in command[-1]]
        append_result('out/tiny.jsonl', line(command[-1], 2 * len(names), names))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(tool, 'subprocess', SimpleNamespace(run=run))
    monkeypatch.setattr(tool, 'check_fairness', lambda benchmark: None)
    monkeypatch.setattr(tool.signal, 'signal', lambda *_: None)
    arguments = ['tiny.yml', '--results', 'out']
    assert tool.main([*arguments, '--seeds', '4']) == 0
    assert [name.rsplit('_', 1)[1] for name in started] == ['seed3'] * 6 + ['seed4'] * 3
    assert 'one seed' in capsys.readouterr().out
    assert tool.main([*arguments, '--runs', '--seeds', '3,4']) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[5:8] == ['done  single_facade_choice1_seed3', '-     lmseg_seed3', '-     single_street_seed3']
    assert told[-2:] == ['done  single_facade_seed4', '9 of 12 runs are done']
    assert len(started) == 9


def test_nothing_has_finished(tool: ModuleType, bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(['tiny.yml', '--results', 'out', '--report']) == 0
    assert capsys.readouterr().out == 'no method has finished yet: 3 runs are missing\n'
    assert not (bench / 'out').exists()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['tny.yml'], 'error: tny.yml: no such benchmark file. Did you mean: tiny.yml?'),
        (
            ['tiny.yml', '--run', 'lmseg_seed1'],
            "error: --run: tiny has no run 'lmseg_seed1'. Did you mean: lmseg_seed0",
        ),
        (['tiny.yml', '--seeds', '0,1'], "error: --seeds: tiny has the seeds 0, not '1'"),
        (['tiny.yml'], 'data/street: no such folder; data_root must be the folder that holds classes.json'),
        (['tiny.yml', '--report', '--results', 'old'], 'error: old/tiny.jsonl: run '),
        (['tiny.yml', '--report', '--results', 'damaged'], 'error: damaged/tiny.jsonl, line 1: is no finished run'),
    ],
)
def test_bad_requests_end_with_one_line(
    tool: ModuleType, bench: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (bench / 'kill_once.py').touch()
    append_result('old/tiny.jsonl', line(RUNS[0], 3000, ['street', 'facade']))
    append_result('damaged/tiny.jsonl', {})
    sys.path.insert(0, str(bench))
    try:
        with pytest.raises(SystemExit) as ended:
            tool.main(arguments)
    finally:
        sys.path.remove(str(bench))
    assert ended.value.code == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert len(errors.splitlines()) == 1
