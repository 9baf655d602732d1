from __future__ import annotations

import pytest
import torch

from mmlmseg.models.criterion.targets import BACKGROUND, segment_targets, semantic_targets, unite_segments


@pytest.mark.parametrize('ignore_index', [255, 3, -1])
def test_one_mask_per_present_class(ignore_index: int) -> None:
    seg = torch.randint(0, 7, (3, 5, 6))
    seg[2] = 4
    seg[torch.rand(seg.shape) < 0.3] = ignore_index
    targets = semantic_targets(seg, ignore_index)
    assert targets.masks.dtype == targets.valid.dtype == targets.pixels.dtype == torch.bool
    assert torch.equal(targets.pixels, seg != ignore_index)
    most = 0
    for b in range(3):
        present = sorted(set(seg[b].flatten().tolist()) - {ignore_index})
        most = max(most, len(present))
        assert targets.labels[b, targets.valid[b]].tolist() == present
        assert targets.valid[b].tolist() == [True] * len(present) + [False] * (targets.valid.shape[1] - len(present))
        for t, label in enumerate(present):
            assert torch.equal(targets.masks[b, t], seg[b] == label)
        assert not targets.masks[b, len(present) :].any()
        assert not targets.labels[b, len(present) :].any()
    assert targets.labels.shape == (3, most)


def test_masks_and_ignored_pixels_partition_the_image() -> None:
    seg = torch.randint(0, 256, (2, 9, 9))
    targets = semantic_targets(seg)
    assert torch.equal(targets.masks.sum(1), targets.pixels.long())


def test_an_image_without_counted_pixels_has_no_target() -> None:
    seg = torch.full((2, 4, 4), 255)
    targets = semantic_targets(seg)
    assert targets.masks.shape == (2, 0, 4, 4)
    assert targets.labels.shape == targets.valid.shape == (2, 0)
    seg[1, 0, 0] = 2
    targets = semantic_targets(seg)
    assert targets.valid.tolist() == [[False], [True]]
    assert targets.labels.tolist() == [[0], [2]]


def test_label_maps_of_any_integer_type() -> None:
    seg = torch.randint(0, 4, (1, 5, 5))
    small, large = semantic_targets(seg.to(torch.uint8)), semantic_targets(seg)
    assert torch.equal(small.masks, large.masks)
    assert torch.equal(small.labels, large.labels)


def test_one_mask_per_present_segment() -> None:
    segments = torch.randint(0, 6, (3, 7, 8))
    segments[segments == 4] = 0  # a segment that a crop took away
    segments[2] = 0
    labels = torch.randint(0, 9, (3, 6))
    targets = segment_targets(segments, labels)
    assert torch.equal(targets.pixels, segments != 0)
    for b in range(3):
        present = sorted(set(segments[b].flatten().tolist()) - {0})
        assert targets.labels[b, targets.valid[b]].tolist() == [int(labels[b, i]) for i in present]
        assert int(targets.valid[b].sum()) == len(present)
        for t, i in enumerate(present):
            assert torch.equal(targets.masks[b, t], segments[b] == i)
        assert not targets.masks[b, len(present) :].any()


def test_segments_of_a_class_unite_unless_told_apart() -> None:
    labels, separate = [3, 3, 1, None, 1, 0], [True, True, False, True, False, False]
    ids, classes = unite_segments(labels, separate)
    assert ids == [1, 2, 3, 0, 3, 4]
    assert classes == [3, 3, 1, 0]
    assert unite_segments([], []) == ([], [])


def test_background_counts_and_is_no_target() -> None:
    ids, classes = unite_segments([3, BACKGROUND, None, 1, BACKGROUND], [True, False, False, False, False])
    assert ids == [1, BACKGROUND, 0, 2, BACKGROUND]
    assert classes == [3, 1]
    segments = torch.tensor([[[1, BACKGROUND, 0, 2]], [[BACKGROUND, BACKGROUND, BACKGROUND, 0]]])
    targets = segment_targets(segments, torch.tensor([[0, *classes], [0, 0, 0]]))
    assert targets.labels.tolist() == [[3, 1], [0, 0]]
    assert targets.valid.tolist() == [[True, True], [False, False]]
    assert targets.masks[0, :, 0].tolist() == [[True, False, False, False], [False, False, False, True]]
    assert not targets.masks[1].any()
    assert targets.pixels[:, 0].tolist() == [[True, True, False, True], [True, True, True, False]]
