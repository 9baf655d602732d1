"""The blocks of the pages "ten minutes" and "tasks" are run, one after another, as they stand there."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [(ROOT / 'docs' / name).read_text(encoding='utf-8') for name in ('ten_minutes.md', 'tasks.md')]
PAGE = '\n'.join(PAGES)  # the second goes on where the first ends
BLOCKS: list[tuple[str, str]] = re.findall(r'^```(\w+)\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL)
# Only lengths are changed, so that it ends soon.
SHORTER = {'--iterations 300': '--iterations 2', 'iter_300': 'iter_2', '--train 120 --val 30': '--train 4 --val 2'}


@pytest.fixture
def checkout(tmp_path: Path) -> dict[str, str]:
    """Stands in the place of a checkout whose environment is active; returns what is set in that."""
    (tmp_path / 'tools').symlink_to(ROOT / 'tools')
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / '_base_').symlink_to(ROOT / 'configs' / '_base_')
    (tmp_path / 'bin').mkdir()
    command = f"'{sys.executable}' '{ROOT / 'mmlmseg_command.py'}'"
    for name, runs in dict(mmlmseg=command, python=f"'{sys.executable}'").items():
        script = tmp_path / 'bin' / name
        script.write_text(f'#!/bin/sh\nexec {runs} "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {**os.environ, 'PATH': f'{tmp_path}/bin:{os.environ["PATH"]}', 'PYTHONPATH': str(ROOT)}


def test_blocks_are_of_kinds_that_are_run() -> None:
    assert {kind for kind, _ in BLOCKS} == {'bash', 'python', 'text'}
    assert all(length in PAGE for length in SHORTER)


@pytest.mark.slow
def test_every_block_runs(checkout: dict[str, str], tmp_path: Path) -> None:
    for kind, block in BLOCKS:
        for length, short in SHORTER.items():
            block = block.replace(length, short)
        if kind == 'python' and (file := re.match(r'# (configs/\S+)\n', block)):
            (tmp_path / file[1]).write_text(block)
        elif kind != 'text':
            command = ['bash', '-ec', block] if kind == 'bash' else [sys.executable, '-c', block]
            done = subprocess.run(command, cwd=tmp_path, env=checkout, capture_output=True, text=True)
            assert done.returncode == 0, f'{block}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}'
    scores = json.loads(next((tmp_path / 'work_dirs' / 'mine').rglob('results.json')).read_text())
    assert {'street/mIoU', 'facade/mIoU', 'wardrobe/mIoU', 'mean/mIoU'} <= set(scores)
    assert (tmp_path / 'audit.html').is_file()
    assert 'images' in json.loads((tmp_path / 'objects.json').read_text())
    out = [f'out/{name}' for name in ('street', 'mine', 'both', 'semantic', 'panoptic', 'words')]
    for folder in ('seen', 'shown', *out):
        assert any((tmp_path / folder).rglob('*.*')), folder
