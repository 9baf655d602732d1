"""Freed memory is kept: the next tensor of its size fetches no page from the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource
import sys

import torch

from mmlmseg.allocator import keep_freed_memory

if sys.argv[1] == 'keep':
    assert keep_freed_memory()
for _ in range(3):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    torch.ones(2**24)  # 64 MB, freed at once
print('faults', resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', SCRIPT, mode], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason="glibc's allocator is meant")
def test_freed_memory_is_used_again() -> None:
    assert page_faults('keep') < page_faults('leave') / 2  # not none: the system may take idle pages
