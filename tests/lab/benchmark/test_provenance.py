"""What lines say of the code, the machine and the precision that made them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmlmseg.lab.benchmark import provenance
from mmlmseg.lab.benchmark.provenance import commit_of, machine_name, training_precision


@pytest.fixture
def working_copy(tmp_path: Path) -> Path:
    """A repository with the package and its docs."""
    for file in ('mmlmseg/version.py', 'docs/results/bench.jsonl'):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    git(tmp_path, 'init', '-q')
    git(tmp_path, 'add', '.')
    git(tmp_path, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'all')
    return tmp_path


def git(root: Path, *command: str) -> str:
    done = subprocess.run(['git', '-C', str(root), *command], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_changes_of_code_are_told_and_new_lines_are_not(working_copy: Path) -> None:
    commit = git(working_copy, 'rev-parse', '--short', 'HEAD')
    (working_copy / 'docs' / 'results' / 'bench.jsonl').write_text('{}\n')
    assert commit_of(working_copy) == commit
    (working_copy / 'mmlmseg' / 'version.py').write_text('changed')
    assert commit_of(working_copy) == f'{commit}+'
    git(working_copy, 'checkout', 'mmlmseg')
    (working_copy / 'mmlmseg' / 'new.py').touch()
    assert commit_of(working_copy) == f'{commit}+'


def test_no_commit_of_another_project(working_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    installed = working_copy / 'site-packages'
    (installed / 'mmlmseg').mkdir(parents=True)
    (installed / 'mmlmseg' / 'version.py').touch()
    assert commit_of(installed) is None
    assert commit_of(tmp_path_factory.mktemp('no-repository')) is None


def test_no_commit_without_git(working_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PATH', '')
    assert commit_of(working_copy) is None


def test_the_machine_and_its_threads() -> None:
    assert provenance._cpu_name()
    assert machine_name().split(', ')[-1].split()[1] in ('thread', 'threads')


@pytest.mark.parametrize('native', [True, False])
@pytest.mark.parametrize(
    ('wrapper', 'model', 'expected'),
    [
        ('OptimWrapper', dict(precision='float32'), 'float32'),
        ('OptimWrapper', dict(precision='bfloat16'), 'bfloat16'),
        ('OptimWrapper', {}, 'float32'),
        ('OptimWrapper', dict(precision='auto'), None),
        ('OptimWrapper', dict(members=[dict(precision='auto')]), None),
        ('mmlmseg.BFloat16OptimWrapper', dict(precision='float32'), 'bfloat16'),
        ('AmpOptimWrapper', dict(precision='float32'), 'float16'),
    ],
)
def test_precision_is_what_it_came_to(
    monkeypatch: pytest.MonkeyPatch, native: bool, wrapper: str, model: dict[str, Any], expected: str | None
) -> None:
    monkeypatch.setattr(provenance, 'gains_by_bfloat16', lambda device: native)
    cfg = Config(dict(model=model, optim_wrapper=dict(type=wrapper)))
    assert training_precision(cfg) == (expected or ('bfloat16' if native else 'float32'))
