"""Fair comparisons: several methods under one budget, on the same data, run by run and resumable."""

from __future__ import annotations

from .config import check_fairness, run_config
from .lines import append_line, chosen_options, read_lines
from .report import make_report
from .run import execute
from .runs import Method, Run
from .spec import Benchmark
from .table import Report

__all__ = [
    'Benchmark',
    'Method',
    'Report',
    'Run',
    'append_line',
    'check_fairness',
    'chosen_options',
    'execute',
    'make_report',
    'read_lines',
    'run_config',
]
