"""Fair comparisons: several methods under one budget, on the same data, run by run and resumable."""

from .config import check_fairness, run_config
from .report import Report, make_report
from .run import append_result, chosen_options, execute, read_results
from .spec import Benchmark, Method, Run

__all__ = [
    'Benchmark',
    'Method',
    'Report',
    'Run',
    'append_result',
    'check_fairness',
    'chosen_options',
    'execute',
    'make_report',
    'read_results',
    'run_config',
]
