"""What the metrics per class share: the dataset's metainfo, the table, segments as masks, how a sample is named."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from mmengine.logging import MMLogger

from mmlmseg.errors import DataError
from mmlmseg.evaluation.definitions import Definition, Kind
from mmlmseg.evaluation.metrics import PanopticInstanceQuality, PanopticQuality, SemanticIoU
from mmlmseg.evaluation.metrics.common import ClassMetric, percent, predicted_masks, source, true_masks
from mmlmseg.segments import SegmentMap


class Half(ClassMetric):
    """Says one half of the sky, nothing of cars, and 0 of cows, of which there are none."""

    class_score = 'IoU'

    @classmethod
    def result_keys(cls) -> tuple[str, ...]:
        return ('half',)

    def define(self, score: str) -> tuple[Kind, str]:
        return 'ours', f'a {score}, for tests'

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results += data_samples

    def compute_metrics(self, results: list) -> dict[str, float]:
        halves = torch.tensor([0.5, torch.nan, 0.0])
        return {'half': 50.0, **self.report_classes({'IoU': halves, 'x': halves / 2}, torch.tensor([7, 0, 0]))}


ANIMALS = dict(classes=['sky', 'car', 'brown cow'])


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[int], list[str]]]:
    """What was logged at a level."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO):
        yield lambda level: [record.getMessage() for record in caplog.records if record.levelno == level]
    logger.removeHandler(caplog.handler)


@pytest.mark.parametrize(('prefix', 'title'), [(None, 'IoU'), ('street', 'street')])
def test_logs_a_row_and_gives_a_result_per_class(said: Callable, prefix: str | None, title: str) -> None:
    metric = Half(prefix=prefix)
    metric.dataset_meta = ANIMALS
    metric.process(None, [0])
    expected = {'half': 50.0, 'IoU.sky': 50.0, 'IoU.car': math.nan, 'IoU.brown_cow': 0.0}
    found = metric.evaluate(1)
    assert found == pytest.approx({f'{prefix}/{k}' if prefix else k: v for k, v in expected.items()}, nan_ok=True)
    assert list(found) == metric.all_keys()
    heading, *table = said(logging.INFO)[-1].splitlines()
    assert heading == f'{title} per class (percent):'
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in table if line.startswith('|')]
    rows = [['sky', '50.0', '25.0', '7'], ['car', '-', '-', '0'], ['brown cow', '0.0', '0.0', '0']]
    assert cells == [['class', 'IoU', 'x', 'true pixels'], *rows]


def test_classes_without_truth_are_noted_each_time_and_warned_of_once(said: Callable) -> None:
    metric = Half(prefix='street')
    metric.dataset_meta = ANIMALS
    for _ in range(2):
        metric.process(None, [0])
        metric.evaluate(1)
        (note,) = metric.notes
    assert said(logging.WARNING) == [note] == said(logging.INFO)[-1:]
    assert note == (
        'street: 2 of 3 classes have no pixels in the truth: car (1) without a score, in no mean; brown cow (1) '
        'predicted all the same, so 0, which counts in the mean'
    )


def test_every_result_is_defined() -> None:
    metric = Half(prefix='street')
    metric.dataset_meta = ANIMALS
    assert metric.definition('street/half') == Definition('ours', 'a half, for tests')
    assert metric.definition('street/IoU.brown_cow') == Definition('ours', "'brown cow' alone: a IoU, for tests")
    assert metric.definition('half') is metric.definition('street/IoU.cow') is None


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
