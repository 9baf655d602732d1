"""What the metrics per class share: the dataset's metainfo, the table, and how a sample is named."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from mmengine.logging import MMLogger

from mmlmseg.errors import DataError
from mmlmseg.evaluation.metrics.common import ClassMetric, percent, source


class Half(ClassMetric):
    """Says one half, whatever it sees."""

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results += data_samples

    def compute_metrics(self, results: list) -> dict[str, float]:
        self.log_per_class('Half', {'half': torch.tensor([0.5, 0.25]), 'none': torch.full((2,), torch.nan)})
        return {'half': 50.0}


@pytest.mark.parametrize(('prefix', 'key', 'title'), [(None, 'half', 'Half'), ('street', 'street/half', 'street')])
def test_logs_a_row_per_class(caplog: pytest.LogCaptureFixture, prefix: str | None, key: str, title: str) -> None:
    metric = Half(prefix=prefix)
    metric.dataset_meta = dict(classes=['sky', 'car'])
    metric.process(None, [0])
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO):
            assert metric.evaluate(1) == {key: 50.0}
    finally:
        logger.removeHandler(caplog.handler)
    heading, *table = caplog.messages[-1].splitlines()
    assert heading == f'{title} per class (percent):'
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in table if line.startswith('|')]
    assert cells == [['class', 'half', 'none'], ['sky', '50.0', 'nan'], ['car', '25.0', 'nan']]


def test_missing_metainfo_is_an_error() -> None:
    metric = Half()
    with pytest.raises(DataError, match=r'Half does not know the classes: set dataset_meta=dict\(classes=\[\.\.\.\]\)'):
        metric.meta('classes')
    metric.dataset_meta = dict(classes=['sky'])
    assert metric.meta('classes') == ['sky']
    with pytest.raises(DataError, match=r'Half does not know the is_thing'):
        metric.meta('is_thing')


def test_a_metric_without_headline_says_so() -> None:
    with pytest.raises(NotImplementedError):
        Half().headline(torch.zeros(2))


def test_percent_and_source() -> None:
    assert percent(torch.tensor(0.123456)) == 12.35
    assert source(dict(seg_map_path='a.png', img_path='a.jpg')) == 'a.png'
    assert source(dict(seg_map_path=None, img_path='a.jpg')) == 'a.jpg'
    assert source({}) == 'a sample without a path'
