"""Freed memory is kept: the next tensor of its size fetches no page from the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource

import torch

from mmlmseg.allocator import keep_freed_memory


def page_faults():
    for _ in range(3):
        torch.ones(2**24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        torch.ones(2**24)  # 64 MB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


left = page_faults()
assert keep_freed_memory()
print(left, page_faults())
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason="glibc's allocator is meant")
def test_freed_memory_is_used_again() -> None:
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', SCRIPT], capture_output=True, text=True, check=True)
    left, kept = map(int, done.stdout.split()[-2:])
    assert kept < left / 2  # not none: the system may take idle pages
