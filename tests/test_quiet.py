"""What no user can do anything about is not said; all else is."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from mmengine.logging import MMLogger

from mmlmseg import quiet

STARTS = """
import mmlmseg
import mmseg.datasets, mmdet.datasets
from mmengine.fileio import FileClient
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger, print_log
from mmengine.visualization import Visualizer
from mmseg.engine.hooks import SegVisualizationHook
MMLogger.get_instance('start')
FileClient.infer_client(None, 'work_dirs')
Visualizer.get_instance('start')
SegVisualizationHook(draw=False)
print_log('what is wrong', 'current', 30)
"""


def test_a_start_says_nothing_but_what_matters(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, '-c', STARTS], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line]
    assert len(lines) == 1, lines
    assert 'WARNING - what is wrong' in lines[0]


@pytest.mark.parametrize('message', ['Could not import mmcv', 'FileClient failed', 'the draw is False'])
def test_other_messages_and_warnings_pass(message: str, capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    print_log = quiet.without_messages(lambda text, **_: said.append(text))
    print_log(message, logger=None)
    print_log(quiet.MESSAGES[0])
    assert said == [message]
    with pytest.warns(UserWarning, match='something'):
        warnings.warn('something', stacklevel=1)


def test_applying_it_again_changes_nothing() -> None:
    import mmengine.logging

    before = mmengine.logging.print_log
    quiet.apply()
    assert mmengine.logging.print_log is before
    assert MMLogger.get_current_instance() is not None
