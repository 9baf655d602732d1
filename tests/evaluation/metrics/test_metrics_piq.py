"""PanopticInstanceQuality on mixed label spaces, and beside PanopticQuality on plain panoptic samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from mmlmseg.errors import DataError
from mmlmseg.evaluation import MultiDatasetEvaluator, PanopticInstanceQuality
from mmlmseg.registry import METRICS

MIXED = dict(classes=['street:person', 'street:sky', 'body:face'], is_thing=[True, False, True], groups=[0, 0, 1])
PLAIN = dict(classes=['sky', 'car', 'road', 'person'], is_thing=[False, True, False, True])
KEYS = ['PIQ', 'PIQ_SQ', 'PIQ_RQ']


def _masks(*words: str) -> torch.Tensor:
    return torch.tensor([[[int(c) for c in word]] for word in words]).bool()


def _mixed_sample() -> SegDataSample:
    """Persons and sky of one space, a face of another, which says nothing of the right half."""
    sample = SegDataSample(metainfo=dict(img_path='images/a.jpg'))
    sample.gt_masks = InstanceData(
        masks=_masks('11110000', '00001111', '11000000'), labels=torch.tensor([0, 1, 2]), crowd=torch.zeros(3).bool()
    )
    sample.gt_void = PixelData(data=_masks('00000000', '00001111'))
    sample.pred_masks = InstanceData(
        masks=_masks('11100000', '11110000', '00001111', '11000000', '00001100'),
        labels=torch.tensor([0, 0, 1, 2, 2]),
        scores=torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5]),
    )
    return sample


def _evaluate(*samples: SegDataSample, meta: dict | None = MIXED, **options: Any) -> dict[str, float]:
    metric = METRICS.build(dict(type='mmlmseg.PanopticInstanceQuality', **options))
    metric.dataset_meta = meta
    for sample in samples:
        metric.process(None, [sample.to_dict()])
    return metric.evaluate(len(samples))


def test_mixed_label_spaces_by_hand() -> None:
    # person: the surer of two fits with 3/4, the other is wrong; the second face lies where its space is void.
    person, sky, face = (75 / 1.5, 75, 100 / 1.5), (100,) * 3, (100,) * 3
    expected = {}
    for suffix, classes in {'': (person, sky, face), '_th': (person, face), '_st': (sky,)}.items():
        expected |= {f'{key}{suffix}': float(np.mean(column)) for key, column in zip(KEYS, zip(*classes))}
    results = _evaluate(_mixed_sample())
    assert results == pytest.approx(expected, abs=0.0051)
    assert list(results) == list(expected)
    optimal = _evaluate(_mixed_sample(), matching='optimal')  # the better of the two persons
    assert optimal['PIQ'] == pytest.approx((100 / 1.5 + 200) / 3, abs=0.0051)


def test_counts_add_up_over_images_and_can_be_drawn_again() -> None:
    metric = PanopticInstanceQuality()
    metric.dataset_meta = MIXED
    nothing = _mixed_sample()
    nothing.pred_masks = nothing.pred_masks[:0]
    metric.process(None, [_mixed_sample().to_dict(), nothing.to_dict()])
    results = metric.evaluate(2)
    assert metric.per_image is not None
    assert metric.per_image.shape == (2, 4, 3)
    assert results['PIQ'] == pytest.approx(100 * (0.75 / 2 + 1 / 1.5 + 1 / 1.5) / 3, abs=0.0051)
    assert metric.headline(metric.per_image.sum(0)) == results['PIQ']
    assert metric.headline(metric.per_image[0]) == _evaluate(_mixed_sample())['PIQ']
    assert metric.headline(metric.per_image[1]) == 0


@pytest.fixture
def panoptic_samples(random_case: Callable) -> list[SegDataSample]:
    random = np.random.default_rng(0)
    samples = []
    for index in range(12):
        case = random_case(random, 4, size=(12, 10 + index))
        sample = SegDataSample(metainfo=dict(img_path=f'images/im{index}.jpg', dataset='street'))
        for field, ids, metainfo in (
            ('gt_panoptic_seg', case.truth, dict(labels=case.truth_labels, crowd=case.crowd)),
            ('pred_panoptic_seg', case.prediction, dict(labels=case.prediction_labels)),
        ):
            data = PixelData(data=torch.from_numpy(ids)[None])
            data.set_metainfo({**metainfo, 'scores': [0.5] * len(metainfo['labels'])})
            setattr(sample, field, data)
        samples.append(sample)
    return samples


@pytest.mark.parametrize('matching', ['greedy', 'optimal'])
def test_beside_panoptic_quality_it_gives_the_same(panoptic_samples: list[SegDataSample], matching: str) -> None:
    metrics = [dict(type='mmlmseg.PanopticQuality'), dict(type='mmlmseg.PanopticInstanceQuality', matching=matching)]
    evaluator = MultiDatasetEvaluator(metrics)
    evaluator.dataset_meta = dict(datasets=dict(street=dict(PLAIN, size=12)))
    evaluator.process(panoptic_samples)
    results = evaluator.evaluate(12)
    for suffix in ('', '_th', '_st'):
        for key, other in zip(KEYS, ('PQ', 'SQ', 'RQ')):
            assert results[f'street/{key}{suffix}'] == results[f'street/{other}{suffix}'] > 0


def test_semantic_truth_is_enough_without_things(panoptic_samples: list[SegDataSample]) -> None:
    stuff = dict(PLAIN, is_thing=[False] * 4)
    for sample in panoptic_samples:
        truth = sample.gt_panoptic_seg
        sample.gt_sem_seg = PixelData(data=torch.tensor([255, *truth.labels])[truth.data.long()])
        del sample.gt_panoptic_seg
    metric = METRICS.build(dict(type='mmlmseg.PanopticQuality'))
    metric.dataset_meta = stuff
    metric.process(None, [sample.to_dict() for sample in panoptic_samples])
    assert list(_evaluate(*panoptic_samples, meta=stuff).values()) == list(metric.evaluate(12).values())


def test_masks_go_before_maps_on_either_side(panoptic_samples: list[SegDataSample]) -> None:
    one_space = dict(PLAIN, groups=[0] * 4)
    as_maps = _evaluate(*panoptic_samples, meta=one_space)
    assert as_maps['PIQ'] > 0
    for sample in panoptic_samples:
        truth = sample.gt_panoptic_seg
        sample.gt_masks = InstanceData(
            masks=truth.data == torch.arange(1, len(truth.labels) + 1)[:, None, None],
            labels=torch.tensor(truth.labels),
            crowd=torch.tensor(truth.crowd),
        )
        sample.gt_void = PixelData(data=truth.data == 0)
    assert _evaluate(*panoptic_samples, meta=one_space) == as_maps
    for sample in panoptic_samples:
        sample.gt_masks.labels = (sample.gt_masks.labels + 1) % 4
    assert _evaluate(*panoptic_samples, meta=one_space)['PIQ'] < as_maps['PIQ'] / 2
    for sample in panoptic_samples:
        everything = dict(masks=sample.gt_masks.masks, labels=sample.gt_masks.labels)
        sample.pred_masks = InstanceData(**everything, scores=torch.ones(len(sample.gt_masks)))
    assert _evaluate(*panoptic_samples, meta=one_space)['PIQ'] == 100


def test_what_does_not_fit_names_the_file(panoptic_samples: list[SegDataSample]) -> None:
    sample = _mixed_sample()
    with pytest.raises(DataError, match=r'images/a\.jpg: PanopticInstanceQuality does not know the groups'):
        _evaluate(sample, meta={key: value for key, value in MIXED.items() if key != 'groups'})
    with pytest.raises(DataError, match=r'groups of dataset_meta has 1 entries, not one for each class'):
        _evaluate(sample, meta=dict(MIXED, groups=[0]))
    sample.gt_void.data = sample.gt_void.data.flip(0)
    with pytest.raises(DataError, match=r'images/a\.jpg: true mask 1 of class 1 covers 4 pixels that are void'):
        _evaluate(sample)
    del sample.gt_void
    with pytest.raises(DataError, match=r'images/a\.jpg: has gt_masks but no gt_void'):
        _evaluate(sample)
    found = sample.pred_masks
    del sample.pred_masks
    sample.pred_panoptic_seg = panoptic_samples[0].pred_panoptic_seg
    with pytest.raises(DataError, match=r'has gt_masks of several label spaces but no pred_masks'):
        _evaluate(sample)
    del sample.pred_panoptic_seg
    sample.pred_masks = found
    del sample.gt_masks
    with pytest.raises(DataError, match=r'has no gt_masks; a map of segments is no truth of several label spaces'):
        _evaluate(sample)
    with pytest.raises(DataError, match=r'has no gt_panoptic_seg.*LoadPanopticAnnotations'):
        _evaluate(sample, meta=dict(MIXED, groups=[0, 0, 0]))
    del sample.pred_masks
    with pytest.raises(DataError, match=r'images/a\.jpg: has neither pred_masks nor pred_panoptic_seg'):
        _evaluate(sample)
    panoptic_samples[0].pred_panoptic_seg.data[0, 0, 0] = 99
    with pytest.raises(DataError, match=r'images/im0\.jpg: predicted segment id 99 is outside'):
        _evaluate(panoptic_samples[0], meta=PLAIN)
    with pytest.raises(ValueError, match=r'matching must be'):
        PanopticInstanceQuality(matching='best')
