"""Three forms of segments that say the same."""

from __future__ import annotations

import pytest
import torch

from mmlmseg.label_space import LabelSpace
from mmlmseg.segments import EncodedMaskSet, MaskSet, SegmentMap

SPACES = [LabelSpace.create('one', ['a', 'b', 'c']), LabelSpace.create('two', ['d', 'e'])]


def test_what_is_small_follows_to_the_host_only() -> None:
    """On a device it would be waited for where it is read; `meta` stands for one here."""
    labels, crowd = torch.tensor([1]), torch.tensor([False])
    segments = SegmentMap(torch.ones(2, 2, dtype=torch.int32), labels, crowd)
    assert segments.to('meta').ids.is_meta
    assert segments.to('meta').labels is labels
    far = MaskSet(torch.ones(1, 2, 2, dtype=torch.bool), labels.to(torch.int32), crowd, torch.tensor([0.5]))
    assert far.to('meta').scores is far.scores
    assert far.to('cpu').scores is far.scores


@pytest.fixture
def overlapping() -> MaskSet:
    """Masks of two label spaces, one of which both say."""
    masks = torch.rand(5, 6, 7, generator=torch.Generator().manual_seed(0)) < 0.4
    labels, scores = torch.tensor([2, 0, 3, 1, 4]), torch.tensor([0.5, 0.9, 0.3, 0.7, 0.8])
    return MaskSet(masks, labels, scores=scores, origins=[(2,), (0, 4), (3,), (1,), (4,)])


def test_encoded_masks_are_the_masks(overlapping: MaskSet) -> None:
    encoded = overlapping.encoded()
    assert encoded.encoded() is encoded
    assert encoded.size == overlapping.size
    decoded = encoded.to('cpu').to_masks()
    assert torch.equal(decoded.masks, overlapping.masks)
    assert torch.equal(encoded.masks, overlapping.masks)
    assert torch.equal(decoded.claims().labels, overlapping.claims().labels)
    for which in range(2):
        ids, labels = encoded.layer(SPACES, which)
        expected, expected_labels = overlapping.layer(SPACES, which)
        assert torch.equal(ids, expected)
        assert labels == expected_labels
    some = encoded.take([3, 1])
    assert torch.equal(some.masks, overlapping.masks[[3, 1]])
    assert some.labels.tolist() == [1, 0]
    assert some.origins == [(1,), (0, 4)]


def test_a_map_is_encoded_segment_by_segment() -> None:
    ids = torch.randint(0, 4, (1, 5, 6), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    segments = SegmentMap(ids, torch.tensor([2, 0, 2]), scores=torch.tensor([0.1, 0.2, 0.3]))
    encoded = segments.encoded()
    assert isinstance(encoded, EncodedMaskSet)
    assert torch.equal(encoded.masks, segments.to_masks().masks)
    assert encoded.scores.tolist() == segments.scores.tolist()
