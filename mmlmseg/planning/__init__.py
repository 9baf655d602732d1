"""What a training will take: measured in a minute, then predicted."""

from .comparison import Compared, compare
from .measuring import measure
from .memory import bytes_of
from .prediction import Plan, predict

__all__ = ['Compared', 'Plan', 'bytes_of', 'compare', 'measure', 'predict']
