"""What the metrics per class share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from prettytable import PrettyTable
from torch import Tensor

from ...errors import DataError


class ClassMetric(BaseMetric):
    """A metric with scores per class.

    Attributes:
        per_image: What the last evaluation added up, one entry per image: [n, ..., K]; None before the first one. With
            :meth:`headline` it tells how far the score depends on the images drawn.

    Args:
        collect_device: How ranks exchange their results: ``'gpu'`` goes through the process group (any backend, no
            shared folder needed), ``'cpu'`` through files.
        prefix: Put before the keys; :class:`~mmlmseg.evaluation.MultiDatasetEvaluator` adds the dataset's name itself.
    """

    default_prefix = ''  # mmengine warns about a metric whose prefix is None

    def __init__(self, collect_device: str = 'gpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.per_image: Tensor | None = None

    def headline(self, total: Tensor) -> float:
        """The score in percent that stands for all: from a sum over images, [..., K]."""
        raise NotImplementedError

    def meta(self, key: str) -> Any:
        """An entry of ``dataset_meta``.

        Raises:
            DataError: Where it is missing.
        """
        if not self.dataset_meta or key not in self.dataset_meta:
            raise DataError(f'{type(self).__name__} does not know the {key}: set dataset_meta=dict({key}=[...]).')
        return self.dataset_meta[key]

    def log_per_class(self, title: str, columns: Mapping[str, Tensor]) -> None:
        """Log a table of scores in percent.

        Args:
            title: What is shown, where the metric has no prefix.
            columns: Fractions [K] by the name of their column.
        """
        table = PrettyTable(['class', *columns])
        table.align['class'] = 'l'
        for name, *scores in zip(self.meta('classes'), *columns.values(), strict=True):
            table.add_row([name, *map(percent, scores)])
        heading = f'{self.prefix or title} per class (percent):'
        print_log(f'{heading}\n{table.get_string()}', logger=MMLogger.get_current_instance())


def percent(fraction: Tensor) -> float:
    """A fraction [] in percent, rounded to two decimals as papers print it."""
    return round(float(fraction) * 100, 2)


def source(sample: Mapping[str, Any]) -> str:
    """The file to name where the truth of a sample is wrong."""
    return str(sample.get('seg_map_path') or sample.get('img_path') or 'a sample without a path')
