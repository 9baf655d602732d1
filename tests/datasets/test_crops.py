"""Crops of random size."""

from __future__ import annotations

import numpy as np
import pytest

from mmlmseg.datasets import RandomRangeCrop


def sample(height: int, width: int) -> dict:
    pixels = np.arange(height * width, dtype=np.int32).reshape(height, width)
    return dict(
        img=np.stack([pixels] * 3, -1),
        gt_seg_map=pixels,
        gt_panoptic_map=pixels + 1,
        seg_fields=['gt_seg_map', 'gt_panoptic_map'],
    )


def test_sizes_fill_the_range_and_maps_stay_aligned() -> None:
    crop = RandomRangeCrop(8, 12)
    heights, widths = set(), set()
    for _ in range(200):
        results = crop(sample(30, 10))
        image, labels = results['img'], results['gt_seg_map']
        assert np.array_equal(image[..., 0], labels)
        assert np.array_equal(results['gt_panoptic_map'], labels + 1)
        assert results['img_shape'][:2] == labels.shape
        heights.add(labels.shape[0])
        widths.add(labels.shape[1])
    assert heights == {8, 9, 10, 11, 12}
    assert widths == {8, 9, 10}  # the image is no wider


def test_smaller_images_stay_whole() -> None:
    assert RandomRangeCrop(8, 12)(sample(5, 6))['gt_seg_map'].shape == (5, 6)


@pytest.mark.parametrize(('low', 'high'), [(0, 4), (5, 4)])
def test_empty_ranges_are_errors(low: int, high: int) -> None:
    with pytest.raises(ValueError, match='drawn from'):
        RandomRangeCrop(low, high)
