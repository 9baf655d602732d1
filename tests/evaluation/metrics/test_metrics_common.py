"""What the metrics per class share: the dataset's metainfo, the table, segments as masks, how a sample is named."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from mmengine.logging import MMLogger

from mmlmseg.errors import DataError
from mmlmseg.evaluation.metrics import PanopticInstanceQuality, PanopticQuality, SemanticIoU
from mmlmseg.evaluation.metrics.common import ClassMetric, percent, predicted_masks, source, true_masks
from mmlmseg.segments import SegmentMap


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


def test_label_spaces_are_told_by_groups() -> None:
    metric = Half()
    metric.dataset_meta = dict(classes=['sky', 'car', 'face'])
    assert (metric.groups, metric.num_spaces) == ([0, 0, 0], 1)
    metric.dataset_meta = dict(classes=['sky', 'car', 'face'], groups=[0, 0, 1])
    assert (metric.groups, metric.num_spaces) == ([0, 0, 1], 2)
    metric.dataset_meta = dict(classes=['sky', 'car', 'face'], groups=[0, 1])
    with pytest.raises(DataError, match=r'groups of dataset_meta has 2 entries, not one for each class'):
        metric.groups  # noqa: B018


def test_a_metric_without_headline_says_so() -> None:
    assert not Half.headline_key
    with pytest.raises(NotImplementedError):
        Half().headline(torch.zeros(2))


def test_headlines_are_named() -> None:
    metrics = (SemanticIoU, PanopticQuality, PanopticInstanceQuality)
    assert [metric.headline_key for metric in metrics] == ['mIoU', 'PQ', 'PIQ']


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int32])
def test_masks_of_segments(dtype: torch.dtype) -> None:
    ids, labels, here = (
        torch.tensor([[[0, 1, 3], [3, 0, 1]]], dtype=dtype),
        torch.tensor([4, 5, 6]),
        torch.device('cpu'),
    )
    masks, own, crowd = true_masks(SegmentMap(ids, labels), here)
    assert masks.int().tolist() == [[[0, 1, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]], [[0, 0, 1], [1, 0, 0]]]
    assert masks.dtype == torch.bool
    assert (own.tolist(), crowd.tolist()) == ([4, 5, 6], [False] * 3)
    assert true_masks(SegmentMap(ids * 0, labels[:0]), here)[0].shape == (0, 2, 3)
    with pytest.raises(DataError, match=r'true segments: segment ids 0 to 3, but 2 labels'):
        true_masks(SegmentMap(ids, labels[:2]), here)
    with pytest.raises(DataError, match=r'predicted segments: segment ids 0 to 3, but 2 labels'):
        predicted_masks(SegmentMap(ids, labels[:2], scores=torch.ones(2)))


def test_percent_and_source() -> None:
    assert percent(torch.tensor(0.123456)) == 12.35
    assert source(dict(seg_map_path='a.png', img_path='a.jpg')) == 'a.png'
    assert source(dict(seg_map_path=None, img_path='a.jpg')) == 'a.jpg'
    assert source({}) == 'a sample without a path'
