from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
import torch
from mmengine.structures import PixelData
from torch.nn import functional as F

from mmlmseg.errors import DataError
from mmlmseg.models.data_preprocessor import GroupingDataPreProcessor, group_sizes
from mmlmseg.segments import SegmentMap

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
Sample = dict[str, Any]


def batch_of(samples: list[Sample]) -> dict[str, Any]:
    """As mmengine's pseudo_collate makes it."""
    return {key: [sample[key] for sample in samples] for key in ('inputs', 'data_samples')}


@pytest.fixture
def mixed(make_sample: Callable[..., Sample]) -> list[Sample]:
    samples = [make_sample('street' if i % 2 else 'facade', (112, 160), seed=i) for i in range(5)]
    for sample, (h, w) in zip(samples, [(64, 64), (96, 160), (60, 50), (100, 150), (64, 64)], strict=True):
        sample['inputs'] = sample['inputs'][:, :h, :w]
        sample['data_samples'].gt_sem_seg = PixelData(data=sample['data_samples'].gt_sem_seg.data[:, :h, :w])
    return samples


def make(**kwargs: Any) -> GroupingDataPreProcessor:
    return GroupingDataPreProcessor(MEAN, STD, **kwargs)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('bgr_to_rgb', [True, False])
def test_equals_one_image_at_a_time(mixed: list[Sample], training: bool, bgr_to_rgb: bool) -> None:
    out = make(bgr_to_rgb=bgr_to_rgb)(batch_of(mixed), training)
    samples = iter(out['data_samples'])
    seen = []
    for group in out['inputs']:
        for image in group:
            sample = next(samples)
            original = mixed[sample.batch_index]
            seen.append(sample.batch_index)
            pixels = original['inputs'].float()
            pixels = pixels[[2, 1, 0]] if bgr_to_rgb else pixels
            wanted = torch.stack([(p - m) / s for p, m, s in zip(pixels, MEAN, STD, strict=True)])
            h, w = wanted.shape[-2:]
            assert torch.allclose(image[:, :h, :w], wanted, atol=1e-6)
            assert image.dtype == torch.float32
            assert image[:, h:].eq(0).all()
            assert image[:, :, w:].eq(0).all()
            assert sample.img_shape == (h, w)
            assert sample.pad_shape == sample.batch_input_shape == tuple(image.shape[-2:])
            assert sample.dataset == original['data_samples'].dataset
            labels = original['data_samples'].gt_sem_seg.data
            if training:
                labels = F.pad(labels, (0, image.shape[-1] - w, 0, image.shape[-2] - h), value=255)
            assert sample.gt_sem_seg.data.equal(labels)
    assert sorted(seen) == list(range(len(mixed)))
    assert 'batch_index' not in mixed[0]['data_samples']  # the incoming samples stay as they were


@pytest.mark.parametrize('training', [True, False])
def test_segments(mixed: list[Sample], training: bool) -> None:
    for sample in mixed[1:]:  # one has none
        labels = sample['data_samples'].gt_sem_seg.data
        ids = torch.randint(0, 4, (2, *labels.shape[1:]), dtype=torch.int32)  # of two label spaces
        truth = SegmentMap(ids, torch.tensor([3, 1, 3]), torch.tensor([False, True, False]))
        sample['data_samples'].gt_segments = truth
    for sample in make()(batch_of(mixed), training)['data_samples']:
        original = mixed[sample.batch_index]['data_samples']
        if sample.batch_index == 0:
            assert 'gt_segments' not in sample
            continue
        ids, (h, w) = original.gt_segments.ids, sample.img_shape
        if training:
            height, width = sample.pad_shape
            ids = F.pad(ids, (0, width - w, 0, height - h), value=0)
            assert sample.gt_sem_seg.shape == sample.gt_segments.size
        assert sample.gt_segments.ids.equal(ids)
        assert sample.gt_segments.ids.dtype == torch.int32
        assert sample.gt_segments.labels.tolist() == [3, 1, 3]
        assert sample.gt_segments.crowd.tolist() == [False, True, False]
        assert original.gt_segments.size == sample.img_shape  # the incoming samples stay as they were


def test_groups_of_a_batch(mixed: list[Sample]) -> None:
    out = make()(batch_of(mixed), training=True)
    assert [tuple(group.shape) for group in out['inputs']] == [(3, 3, 64, 64), (2, 3, 128, 160)]
    assert [sample.batch_index for sample in out['data_samples']] == [0, 2, 4, 1, 3]
    out = make()(batch_of(mixed), training=False)  # at test only equal sizes meet
    assert [tuple(group.shape) for group in out['inputs']] == [(3, 3, 64, 64), (1, 3, 96, 160), (1, 3, 128, 160)]


def test_paper_crops_do_not_meet() -> None:
    crops = [(512, 512), (1280, 1280), (512, 1024), (640, 640), (512, 512)]
    assert group_sizes(crops, 32, 0.15) == [
        ((512, 512), [0, 4]),
        ((1280, 1280), [1]),
        ((512, 1024), [2]),
        ((640, 640), [3]),
    ]


def _padding(canvas: tuple[int, int], members: list[int], padded: list[tuple[int, int]]) -> float:
    return 1 - sum(padded[i][0] * padded[i][1] for i in members) / (canvas[0] * canvas[1] * len(members))


@pytest.mark.parametrize('seed', range(30))
def test_grouping_against_brute_force(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    sizes = [(h, w) for h, w in torch.randint(200, 400, (6, 2), generator=random).tolist()]
    padded = [(-(-h // 32) * 32, -(-w // 32) * 32) for h, w in sizes]
    groups = group_sizes(sizes, 32, 0.15)
    assert groups == group_sizes(sizes, 32, 0.15)
    assert sorted(i for _, members in groups for i in members) == list(range(6))
    assert [members for _, members in groups] == sorted(members for _, members in groups)
    for canvas, members in groups:
        assert canvas == (max(padded[i][0] for i in members), max(padded[i][1] for i in members))
        assert _padding(canvas, members, padded) < 0.15 or len({padded[i] for i in members}) == 1
    for (a, mine), (b, yours) in combinations(groups, 2):  # and no two groups are left that could still be joined
        canvas = (max(a[0], b[0]), max(a[1], b[1]))
        assert _padding(canvas, mine + yours, padded) >= 0.15
    assert len(group_sizes(sizes, 32, 0.0)) == len(set(padded))


def test_without_data_samples_and_labels(mixed: list[Sample]) -> None:
    out = make()({'inputs': [sample['inputs'] for sample in mixed]})
    assert [sample.batch_index for sample in out['data_samples']] == [0, 2, 4, 1, 3]
    del mixed[0]['data_samples'].gt_sem_seg
    assert 'gt_sem_seg' not in make()(batch_of(mixed), training=True)['data_samples'][0]


def test_stacked_inputs(make_sample: Callable[..., Sample]) -> None:
    samples = [make_sample('street', seed=i) for i in range(2)]
    stacked = dict(
        inputs=torch.stack([s['inputs'] for s in samples]), data_samples=[s['data_samples'] for s in samples]
    )
    assert make()(stacked, True)['inputs'][0].equal(make()(batch_of(samples), True)['inputs'][0])


def test_bad_batches(make_sample: Callable[..., Sample]) -> None:
    sample = make_sample('street', img_path='grey.png')
    with pytest.raises(DataError, match=r'grey\.png: shape \(1, 64, 64\).*in colour'):
        make()(batch_of([{**sample, 'inputs': sample['inputs'][:1]}]), True)
    small = {**sample, 'inputs': sample['inputs'][:, :32]}
    with pytest.raises(DataError, match=r'grey\.png: image \(32, 64\) and gt_sem_seg \(64, 64\)'):
        make()(batch_of([small]), True)
    make()(batch_of([small]), False)
    no_labels = torch.zeros(0, dtype=torch.long)
    sample['data_samples'].gt_segments = SegmentMap(torch.zeros(1, 64, 32, dtype=torch.int32), no_labels)
    with pytest.raises(DataError, match=r'grey\.png: image \(64, 64\) and gt_segments \(64, 32\)'):
        make()(batch_of([sample]), True)


def test_nothing_goes_into_a_checkpoint() -> None:
    assert not make().state_dict()


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs an accelerator')
def test_on_an_accelerator(mixed: list[Sample]) -> None:
    for sample in mixed:
        ids = sample['data_samples'].gt_sem_seg.data.int() % 2
        sample['data_samples'].gt_segments = SegmentMap(ids, torch.tensor([1]))
    out = make().to('cuda')(batch_of(mixed), True)
    for mine, theirs in zip(out['inputs'], make()(batch_of(mixed), True)['inputs'], strict=True):
        assert mine.is_cuda
        assert torch.allclose(mine.cpu(), theirs, atol=1e-5)
    assert out['data_samples'][0].gt_sem_seg.data.is_cuda
    assert out['data_samples'][0].gt_segments.ids.is_cuda
    assert not out['data_samples'][0].gt_segments.labels.is_cuda
