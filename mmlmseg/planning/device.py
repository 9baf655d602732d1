"""What a training runs on, and the time there."""

from __future__ import annotations

import time

import torch


def now() -> float:
    """The time when the device has done what it was told, in seconds."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def name() -> str:
    """``cpu``, or the name of the accelerator."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu'
