"""The most memory that was in use, and how much there is; all in bytes."""

from __future__ import annotations

import os
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

from ..errors import OptionError

_UNITS = {'MB': 2**20, 'MIB': 2**20, 'GB': 2**30, 'GIB': 2**30}


def bytes_of(text: str) -> int:
    """Reads an amount of memory. A GB has 2**30 bytes, as in the names of graphics cards.

    Raises:
        OptionError: Where it is none.

    Example:
        >>> bytes_of('24GB') == bytes_of('24576 MB')
        True
    """
    found = re.fullmatch(r'(\d+(?:\.\d+)?)\s*([a-z]+)', text.strip(), re.IGNORECASE)
    if found is None or found[2].upper() not in _UNITS or not float(found[1]) > 0:
        raise OptionError(f'--memory {text!r}: write a number above 0 and its unit, MB or GB, such as 24GB')
    return int(float(found[1]) * _UNITS[found[2].upper()])


def start_peak() -> None:
    """Forgets the peak so far, where the system lets us: on accelerators, and on Linux."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    elif sys.platform.startswith('linux'):
        # Some containers mount it read-only; smaller batches are measured first, so the peak still grows.
        with suppress(OSError):
            Path('/proc/self/clear_refs').write_text('5')


def peak() -> int:
    """The most memory in use since :func:`start_peak`."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    if sys.platform.startswith('linux'):  # getrusage would also know what the process was before it became this one
        found = re.search(r'VmHWM:\s*(\d+) kB', Path('/proc/self/status').read_text())
        if found:
            return int(found[1]) * 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 2**10)


def how() -> str:
    """What :func:`peak` reads."""
    if torch.cuda.is_available():
        return 'torch.cuda.max_memory_allocated: what tensors take, without the driver'
    return 'peak resident memory of the training process, without those that load'


def available() -> int:
    """The memory of the device: of the accelerator, or of this machine."""
    if torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
