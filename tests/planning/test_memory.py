from __future__ import annotations

import mmap

import numpy as np
import pytest

from mmlmseg.planning import memory


@pytest.mark.parametrize('text', ['2GB', '2 GB', '2.0gib', '2048MB', ' 2048 MiB '])
def test_an_amount_of_memory_is_read_with_its_unit(text: str) -> None:
    assert memory.bytes_of(text) == 2**31


def test_the_peak_grows_with_what_is_used() -> None:
    memory.start_peak()
    before = memory.peak()
    held = np.frombuffer(mmap.mmap(-1, 2**26), np.uint8)  # 64 MB, which no freed memory of the process serves
    held[:] = 1
    assert memory.peak() - before > 2**25
    assert held.nbytes < memory.available()
