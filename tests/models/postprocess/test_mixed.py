"""Several label spaces at once: the union of the single results, and what exclusive groups and duplicates change."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from mmlmseg.label_space import LabelSpace
from mmlmseg.models.postprocess.mixed import Duplicates, same_meaning, unite_duplicates
from mmlmseg.models.postprocess.panoptic import Candidates, PanopticThresholds, Rivals, compete, panoptic_segments
from mmlmseg.models.postprocess.view import View
from mmlmseg.relations import Relations, resolve
from mmlmseg.run_lengths import RunLengths
from mmlmseg.segments import EncodedMaskSet

SIZES = (3, 4)
SPACES = [
    LabelSpace.create('one', ['car', 'road', 'sky'], things=['car']),
    LabelSpace.create('two', ['wall', 'car', 'bus', 'roof'], things=['car', 'bus']),
]
THINGS = torch.tensor([True, False, False, False, True, True, False])
GROUP = torch.tensor([0] * 3 + [1] * 4)
LIMITS = (PanopticThresholds(overlap=0.3, pixel=0.2), PanopticThresholds(overlap=0.1))
ALL = (PanopticThresholds(overlap=0.0),) * 2


def found(number: int, num_classes: int) -> Candidates:
    masks = torch.rand(number, 9, 11, dtype=torch.float64).logit()
    meta = dict(img_shape=(9, 11), ori_shape=(9, 11))
    scores = torch.rand(number, dtype=torch.float64)
    return Candidates(masks, torch.randint(0, num_classes, (number,)), scores, View((9, 11), meta))


def encoded(masks: torch.Tensor, labels: list[int], scores: list[float]) -> EncodedMaskSet:
    """Masks of one origin each."""
    origins = [(label,) for label in labels]
    return EncodedMaskSet(RunLengths.of_masks(masks), torch.tensor(labels), torch.tensor(scores), origins)


def test_without_handling_of_overlaps_it_is_the_union() -> None:
    own = [found(6, 3), found(5, 4)]
    mixed = panoptic_segments(own, SPACES, LIMITS, GROUP)
    masks, labels, scores = [], [], []
    for candidates, things, limits, first in zip(own, THINGS.split(SIZES), LIMITS, (0, 3), strict=True):
        number = (len(candidates.labels),)
        alone = compete(
            Rivals([candidates], torch.full(number, limits.overlap), torch.full(number, limits.pixel)), things
        )
        masks += [alone.ids[0] == i + 1 for i in range(len(alone.labels))]
        labels += (alone.labels + first).tolist()
        scores += alone.scores.tolist()
    assert torch.equal(mixed.masks, torch.stack(masks))
    assert mixed.labels.tolist() == labels
    assert mixed.scores.tolist() == pytest.approx(scores, abs=1e-12)
    assert mixed.origins == [(label,) for label in labels]
    assert int(mixed.masks.sum(0).max()) == 2  # a pixel may be in one segment of each space


def test_classes_of_one_group_exclude_each_other() -> None:
    one_group = torch.zeros(7, dtype=torch.long)
    mixed = panoptic_segments([found(6, 3), found(5, 4)], SPACES, ALL, one_group)
    assert int(mixed.masks.sum(0).max()) == 1
    everything = panoptic_segments([found(6, 3), found(0, 4)], SPACES, ALL)
    assert set(everything.labels.tolist()) <= {0, 1, 2}


def test_nothing_found() -> None:
    mixed = panoptic_segments([found(0, 3), found(0, 4)], SPACES, LIMITS, GROUP, Duplicates(torch.eye(7).bool()))
    assert mixed.masks.shape == (0, 9, 11)
    assert mixed.labels.shape == mixed.scores.shape == (0,)
    assert list(mixed.origins) == []


def test_duplicates_become_one() -> None:
    masks = torch.zeros(4, 4, 4, dtype=torch.bool)
    masks[0, :2], masks[1, 2:] = True, True  # two cars of the first space
    masks[2, :2, :3], masks[3, 2:, :1] = True, True  # a car that covers most of the first one, and one that does not
    segments = encoded(masks, [0, 0, 4, 4], [0.6, 0.9, 0.8, 0.7])
    same = torch.eye(7, dtype=torch.bool)
    same[0, 4] = same[4, 0] = True
    united = unite_duplicates(segments, GROUP, Duplicates(same, iou=0.5))
    assert united.labels.tolist() == [0, 4, 4]
    assert united.origins == [(0,), (4, 0), (4,)]
    assert united.scores.tolist() == pytest.approx([0.9, 1 - 0.4 * 0.2, 0.7])
    assert torch.equal(united.masks, torch.stack([masks[1], masks[0] | masks[2], masks[3]]))
    other = unite_duplicates(segments, GROUP, Duplicates(torch.eye(7, dtype=torch.bool)))
    assert other.labels.tolist() == [0, 0, 4, 4]  # classes that mean something else stay


def test_segments_of_one_group_are_never_united() -> None:
    masks = torch.ones(2, 2, 2, dtype=torch.bool)
    segments = encoded(masks, [4, 4], [0.5, 0.6])
    assert len(unite_duplicates(segments, GROUP, Duplicates(torch.ones(7, 7).bool())).labels) == 2


def test_names_and_rows_tell_what_means_the_same() -> None:
    spaces = [LabelSpace.create('a', ['car', 'traffic light']), LabelSpace.create('b', ['Traffic-light', 'automobile'])]
    expected = torch.eye(4, dtype=torch.bool)
    expected[1, 2] = expected[2, 1] = True
    assert torch.equal(same_meaning(spaces), expected)
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0], [3.0, 0.3]])
    expected[0, 3] = expected[3, 0] = True
    assert torch.equal(same_meaning(spaces, rows, 0.9), expected)


def test_half_precision_changes_no_duplicates() -> None:
    masks = torch.zeros(2, 400, 400, dtype=torch.bool)
    masks[:, :398] = True  # more pixels than float16 can count
    segments = encoded(masks, [0, 3], [0.6, 0.9])
    same = torch.zeros(7, 7, dtype=torch.bool)
    same[0, 3] = same[3, 0] = True
    spaces = [LabelSpace.create('street', ['car']), LabelSpace.create('town', ['auto'])]
    rows = torch.tensor([[1.0, 0.0], [1.0, 0.3639]])  # cosine 0.9397
    for half in (torch.bfloat16, torch.float16):
        with torch.autocast('cpu', dtype=half):
            assert len(unite_duplicates(segments, GROUP, Duplicates(same)).labels) == 1
            assert same_meaning(spaces, rows, 0.9396)[0, 1]
            assert not same_meaning(spaces, rows, 0.9398)[0, 1]


def test_what_is_united_stays_exclusive_in_its_groups() -> None:
    masks = torch.zeros(4, 10, 10, dtype=torch.bool)
    masks[0, :5], masks[1, 5:] = True, True  # road and car of the first space
    masks[2, 2:], masks[3, :2] = True, True  # car and sky of the second one, whose car reaches into the road
    segments = encoded(masks, [1, 0, 4, 5], [0.9, 0.7, 0.8, 0.6])
    same = torch.eye(7, dtype=torch.bool)
    same[0, 4] = same[4, 0] = True
    united = unite_duplicates(segments, GROUP, Duplicates(same, iou=0.5))
    assert united.origins == [(1,), (4, 0), (5,)]
    grown = masks[1] | masks[2]  # with a score of 0.94 better than the road
    assert torch.equal(united.masks, torch.stack([masks[0] & ~grown, grown, masks[3]]))
    masks[0, :2] = False  # now the car takes all of the road
    segments = encoded(masks, [1, 0, 4, 5], [0.9, 0.7, 0.8, 0.6])
    united = unite_duplicates(segments, GROUP, Duplicates(same, iou=0.5))
    assert united.origins == [(4, 0), (5,)]
    better = dataclasses.replace(segments, scores=torch.tensor([0.95, 0.7, 0.8, 0.6]))
    united = unite_duplicates(better, GROUP, Duplicates(same, iou=0.5))
    assert torch.equal(united.masks, torch.stack([masks[0], grown & ~masks[0], masks[3]]))


def test_random_united_segments_stay_exclusive() -> None:
    torch.manual_seed(0)
    united = 0
    for _ in range(20):
        own = [found(8, 3), found(8, 4)]
        everything = Duplicates(torch.ones(7, 7, dtype=torch.bool), iou=0.1)
        mixed = panoptic_segments(own, SPACES, ALL, GROUP, everything)
        for group in (0, 1):
            inside = [any(GROUP[label] == group for label in origins) for origins in mixed.origins]
            assert int(mixed.masks[inside].sum(0).max()) <= 1
        assert bool(mixed.masks.flatten(1).any(1).all())
        united += sum(len(origins) > 1 for origins in mixed.origins)
    assert united


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
def test_on_cuda() -> None:
    own = [found(6, 3), found(5, 4)]
    moved = [{key: getattr(one, key).cuda() for key in ('masks', 'labels', 'scores')} for one in own]
    there = [dataclasses.replace(one, **parts) for one, parts in zip(own, moved, strict=True)]
    duplicates = Duplicates(torch.eye(7).bool())
    here = panoptic_segments(own, SPACES, LIMITS, GROUP, duplicates)
    mixed = panoptic_segments(there, SPACES, LIMITS, GROUP.cuda(), Duplicates(duplicates.same.cuda()))
    assert torch.equal(mixed.masks.cpu(), here.masks)
    assert mixed.labels.tolist() == here.labels.tolist()


def test_what_is_declared_goes_before_names_and_rows() -> None:
    relations = Relations(
        same=(('one:road', 'two:roof'),), inside=(('two:bus', 'one:car'),), part_of=(('one:car', 'two:car'),)
    )
    declared = resolve(relations, tuple(SPACES))
    rows = torch.eye(7)
    rows[5] = rows[0]  # bus reads like car
    by_names = same_meaning(SPACES, rows, 0.9)
    assert by_names[0, [4, 5]].all()
    same = same_meaning(SPACES, rows, 0.9, declared)
    expected = torch.eye(7, dtype=torch.bool)
    expected[1, 6] = expected[6, 1] = True
    expected[4, 5] = expected[5, 4] = by_names[4, 5]
    assert same.equal(expected)
