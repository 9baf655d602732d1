"""Fair comparisons: several methods under one budget, on the same data, run by run and resumable."""

from __future__ import annotations

from .report import Report, make_report
from .run import execute, run_config
from .spec import Benchmark, Method, Run

__all__ = ['Benchmark', 'Method', 'Report', 'Run', 'execute', 'make_report', 'run_config']
