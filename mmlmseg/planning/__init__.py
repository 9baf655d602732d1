"""What a training will take: measured in a minute, then predicted."""

from .comparison import Compared, Run, compare, read_run
from .measuring import measure
from .memory import bytes_of
from .prediction import Plan, predict

__all__ = ['Compared', 'Plan', 'Run', 'bytes_of', 'compare', 'measure', 'predict', 'read_run']
