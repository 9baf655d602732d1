"""A tool reads its command line before it loads libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
SCRIPTS = [
    path.relative_to(TOOLS).as_posix()
    for path in sorted(TOOLS.rglob('*.py'))
    # Those that time or simulate something take their options from the package.
    if path.name not in ('common_arguments.py', 'criterion_speed.py', 'scale_simulation.py')
    and 'lab import speed' not in path.read_text()
]


@pytest.mark.parametrize('script', SCRIPTS)
@pytest.mark.parametrize(('option', 'status', 'answer'), [('--help', 0, 'usage: '), ('--no-such-option', 2, 'error: ')])
def test_help_and_mistakes_are_answered_without_torch(
    tmp_path: Path, script: str, option: str, status: int, answer: str
) -> None:
    (tmp_path / 'torch.py').write_text('raise ImportError("torch is not to be loaded")\n')
    done = subprocess.run(
        [sys.executable, str(TOOLS / script), option],
        env={**os.environ, 'PYTHONPATH': str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, answer in done.stdout + done.stderr) == (status, True), done.stderr
