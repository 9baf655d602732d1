"""SemanticIoU against mmseg's IoUMetric."""

from __future__ import annotations

import math

import pytest
import torch
from mmseg.evaluation import IoUMetric

from mmlmseg.errors import DataError
from mmlmseg.evaluation import SemanticIoU
from mmlmseg.evaluation.keys import is_class_key
from mmlmseg.registry import METRICS


def _samples(num_classes: int, count: int, seed: int, dtype: torch.dtype = torch.long) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    samples = []
    for index in range(count):
        size = (1, 20 + index, 31)
        label = torch.randint(0, num_classes - 1, size, generator=generator)  # the last class is absent from the truth
        guess = torch.randint(0, max(num_classes - 2, 1), size, generator=generator)  # the last two never predicted
        prediction = torch.where(torch.rand(size, generator=generator) < 0.6, label, guess)
        label[torch.rand(size, generator=generator) < 0.15] = 255
        samples.append(
            dict(pred_sem_seg=dict(data=prediction), gt_sem_seg=dict(data=label.to(dtype)), img_path=f'{index}.png')
        )
    return samples


@pytest.mark.parametrize('num_classes', [2, 11, 150])
@pytest.mark.parametrize('dtype', [torch.uint8, torch.long])
def test_equals_mmseg(num_classes: int, dtype: torch.dtype) -> None:
    samples = _samples(num_classes, 6, num_classes, dtype)
    results = []
    for metric in (SemanticIoU(), IoUMetric()):
        metric.dataset_meta = dict(classes=[f'c{k}' for k in range(num_classes)])
        metric.process(None, samples[:4])
        metric.process(None, samples[4:])
        results.append(metric.evaluate(6))
    ours, theirs = results
    means = {key: value for key, value in ours.items() if not is_class_key(key)}
    assert means == {key: round(float(theirs[key]), 2) for key in ('mIoU', 'mAcc', 'aAcc')}  # theirs are float32
    assert all(type(value) is float for value in ours.values())


def test_each_class_is_a_result_and_those_without_truth_follow_the_rule_of_mmseg() -> None:
    samples = _samples(5, 4, 0)
    for sample in samples:  # class 4 is only predicted; 5 is nowhere
        sample['pred_sem_seg']['data'][0, 0] = 4
    metric = SemanticIoU(prefix='a')
    metric.dataset_meta = dict(classes=['sky', 'tree', 'traffic light', 'wall/fence', 'gull', 'a.b'])
    metric.process(None, samples)
    results = metric.evaluate(4)
    fields = ('pred_sem_seg', 'gt_sem_seg')
    predicted, label = (torch.cat([s[key]['data'].flatten() for s in samples]) for key in fields)
    predicted = predicted[label != 255]
    label = label[label != 255]
    both = [int(((label == k) & (predicted == k)).sum()) for k in range(4)]
    either = [int(((label == k) | (predicted == k)).sum()) for k in range(4)]
    names = ['sky', 'tree', 'traffic_light', 'wall_fence']
    expected = {f'a/IoU.{n}': 100 * b / e for n, b, e in zip(names, both, either)}
    found = {key: value for key, value in results.items() if is_class_key(key)}
    assert found == pytest.approx({**expected, 'a/IoU.gull': 0.0, 'a/IoU.a.b': math.nan}, abs=0.0051, nan_ok=True)
    assert results['a/mIoU'] == pytest.approx(sum(expected.values()) / 5, abs=0.01)  # over what exists
    (note,) = metric.notes
    assert note == (
        'a: 2 of 6 classes have no pixels in the truth: a.b (1) without a score, in no mean; gull (1) predicted all '
        'the same, so 0, which counts in the mean'
    )
    assert {metric.definition(key).kind for key in results} == {'comparable'}


def test_no_truth_at_all_is_no_number() -> None:
    metric = SemanticIoU()
    metric.dataset_meta = dict(classes=['sky'])
    void = dict(data=torch.full((1, 2, 2), 255))
    metric.process(None, [dict(pred_sem_seg=dict(data=torch.zeros(1, 2, 2).long()), gt_sem_seg=void)])
    assert all(math.isnan(value) for value in metric.evaluate(1).values())


def test_results_are_small_and_cleared() -> None:
    metric = METRICS.build(dict(type='mmlmseg.SemanticIoU'))
    metric.dataset_meta = dict(classes=['a', 'b', 'c'])
    metric.process(None, _samples(3, 2, 0))
    assert [tuple(areas.shape) for areas in metric.results] == [(3, 3), (3, 3)]
    metric.evaluate(2)
    assert metric.results == []


def test_headline_of_the_summed_images_is_the_reported_score() -> None:
    metric = SemanticIoU()
    metric.dataset_meta = dict(classes=[f'c{k}' for k in range(7)])
    assert metric.per_image is None
    samples = _samples(7, 5, 3)
    metric.process(None, samples)
    reported = metric.evaluate(5)['mIoU']
    assert metric.per_image is not None
    assert metric.per_image.shape == (5, 3, 7)
    assert metric.headline(metric.per_image.sum(0)) == reported
    for i, sample in enumerate(samples):
        alone = SemanticIoU()
        alone.dataset_meta = metric.dataset_meta
        alone.process(None, [sample])
        assert metric.headline(metric.per_image[i]) == alone.evaluate(1)['mIoU']


def test_bad_label_names_file_value_and_way_out() -> None:
    metric = SemanticIoU()
    metric.dataset_meta = dict(classes=['a', 'b'])
    sample = _samples(2, 1, 0)[0]
    sample['gt_sem_seg']['data'][0, 0, 0] = 7
    with pytest.raises(DataError, match=r'0\.png: label id 7 is outside 0\.\.1.*ids of the 2 classes'):
        metric.process(None, [sample])


def test_missing_truth_is_an_error() -> None:
    metric = SemanticIoU()
    metric.dataset_meta = dict(classes=['a', 'b'])
    with pytest.raises(DataError, match=r'no gt_sem_seg'):
        metric.process(None, [dict(pred_sem_seg=dict(data=torch.zeros(1, 2, 2)), img_path='x.png')])
    with pytest.raises(DataError, match=r'does not know the classes'):
        SemanticIoU().process(None, [])
