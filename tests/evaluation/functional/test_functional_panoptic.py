"""The functional panoptic quality against loops over sets of pixels, its rules one by one, and its limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mmlmseg.errors import DataError
from mmlmseg.evaluation.functional import (
    PanopticCounts,
    class_segments,
    mean_scores,
    panoptic_counts,
    panoptic_scores,
)

K = 4


def _total(counts: list[PanopticCounts]) -> PanopticCounts:
    return PanopticCounts(*(torch.stack(count).sum(0) for count in zip(*counts)))


def _assert_equal(counts: PanopticCounts, tallies: list[Any]) -> None:
    for name in ('true_positive', 'false_positive', 'false_negative'):
        assert getattr(counts, name).tolist() == [getattr(tally, name) for tally in tallies]
        assert getattr(counts, name).dtype == torch.long
    assert counts.iou.tolist() == pytest.approx([float(tally.iou) for tally in tallies], abs=1e-12)
    assert counts.iou.dtype == torch.double


def test_random_images_equal_loops(random_case: Callable, count_by_loops: Callable) -> None:
    random = np.random.default_rng(0)
    cases = [random_case(random, K) for _ in range(300)]
    counts = [panoptic_counts(*case.tensors(), K) for case in cases]
    for case, count in zip(cases, counts):
        _assert_equal(count, count_by_loops([case], K))
    tallies = count_by_loops(cases, K)
    _assert_equal(_total(counts), tallies)
    for tally in tallies:  # nothing of what can happen to a segment was left out
        assert min(tally.true_positive, tally.false_positive, tally.false_negative, tally.excused) > 20
    scores = torch.stack(panoptic_scores(_total(counts)), dim=1)  # [K, 3]
    assert scores.tolist() == [pytest.approx(tally.scores(), abs=1e-12) for tally in tallies]


@pytest.mark.parametrize('seed', range(20))
def test_images_side_by_side_are_their_sum(random_case: Callable, make_case: type, seed: int) -> None:
    random = np.random.default_rng(seed)
    left, right = random_case(random, K), random_case(random, K)
    shifted = [
        np.where(ids, ids + len(labels), 0)
        for ids, labels in ((right.prediction, left.prediction_labels), (right.truth, left.truth_labels))
    ]
    both = make_case(
        np.hstack([left.prediction, shifted[0]]),
        left.prediction_labels + right.prediction_labels,
        np.hstack([left.truth, shifted[1]]),
        left.truth_labels + right.truth_labels,
        left.crowd + right.crowd,
    )
    together = panoptic_counts(*both.tensors(), K)
    apart = _total([panoptic_counts(*case.tensors(), K) for case in (left, right)])
    for one, other in zip(together, apart):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize('seed', range(20))
def test_properties(random_case: Callable, seed: int) -> None:
    random = np.random.default_rng(seed)
    prediction, prediction_labels, truth, truth_labels, _ = random_case(random, K).tensors()
    nobody = torch.zeros(len(truth_labels), dtype=torch.bool)
    counts = panoptic_counts(prediction, prediction_labels, truth, truth_labels, nobody, K)
    scores = panoptic_scores(counts)
    torch.testing.assert_close(scores.pq, scores.sq * scores.rq, rtol=0, atol=1e-12, equal_nan=True)
    assert all(0 <= score <= 1 for score in torch.cat(scores).tolist() if score == score)

    # The numbers of the segments mean nothing.
    order = torch.randperm(len(prediction_labels))
    renumbered = torch.cat([torch.zeros(1, dtype=torch.long), order.argsort() + 1])[prediction.long()]
    same = panoptic_counts(renumbered, prediction_labels[order], truth, truth_labels, nobody, K)
    for one, other in zip(same, counts):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)

    # A truth matches itself; without void, missed and wrong segments change places with truth and prediction.
    itself = panoptic_scores(panoptic_counts(truth, truth_labels, truth, truth_labels, nobody, K))
    assert itself.pq[itself.pq.isfinite()].eq(1).all()
    prediction, truth = prediction.clamp(min=1), truth.clamp(min=1)
    there = panoptic_counts(prediction, prediction_labels, truth, truth_labels, nobody, K)
    nobody = torch.zeros(len(prediction_labels), dtype=torch.bool)
    back = panoptic_counts(truth, truth_labels, prediction, prediction_labels, nobody, K)
    assert there.false_negative.tolist() == back.false_positive.tolist()
    assert there.false_positive.tolist() == back.false_negative.tolist()
    assert there.iou.tolist() == pytest.approx(back.iou.tolist())


def _strip(prediction: str, truth: str, labels: str, truth_labels: str, crowd: str = '') -> list[tuple[float, ...]]:
    """Counts of an image one pixel high; every character is an id, a class or a crowd flag."""

    def numbers(text: str) -> Tensor:
        return torch.tensor([int(character) for character in text], dtype=torch.long)

    flags = numbers(crowd or '0' * len(truth_labels)).bool()
    counts = panoptic_counts(
        numbers(prediction)[None], numbers(labels), numbers(truth)[None], numbers(truth_labels), flags, 2
    )
    return [tuple(count[k].item() for count in counts) for k in range(2)]


NOTHING = (0.0, 0, 0, 0)


@pytest.mark.parametrize(
    ('arguments', 'first', 'second'),
    [
        pytest.param(('1122', '1122', '01', '01'), (1.0, 1, 0, 0), (1.0, 1, 0, 0), id='perfect, class 0 as any'),
        pytest.param(('1122', '1122', '00', '00'), (2.0, 2, 0, 0), NOTHING, id='two segments of one class'),
        pytest.param(('1122', '1122', '10', '01'), (0.0, 0, 1, 1), (0.0, 0, 1, 1), id='wrong classes'),
        pytest.param(('1110', '1111', '0', '0'), (0.75, 1, 0, 0), NOTHING, id='unclaimed pixels'),
        pytest.param(('1100', '1111', '0', '0'), (0.0, 0, 1, 1), NOTHING, id='an IoU of one half is no match'),
        pytest.param(('11111', '11100', '0', '0'), (1.0, 1, 0, 0), NOTHING, id='void is in no union'),
        pytest.param(('1111', '1100', '0', '1'), (0.0, 0, 1, 0), (0.0, 0, 0, 1), id='half void is no excuse'),
        pytest.param(('1111', '1000', '0', '1'), NOTHING, (0.0, 0, 0, 1), id='more than half void is'),
        pytest.param(('1111', '0000', '0', ''), NOTHING, NOTHING, id='all void'),
        pytest.param(('1111', '1111', '0', '0', '1'), NOTHING, NOTHING, id='a crowd is neither matched nor missed'),
        pytest.param(('1111', '1111', '0', '1', '1'), (0.0, 0, 1, 0), NOTHING, id='a crowd excuses its class only'),
        pytest.param(('1111', '1223', '0', '011', '010'), (0.0, 0, 1, 1), (0.0, 0, 0, 1), id='crowd of another class'),
        pytest.param(('1111', '1023', '0', '110', '001'), (0.0, 0, 1, 0), (0.0, 0, 0, 2), id='half void and crowd'),
        pytest.param(('11111', '10022', '0', '10', '01'), NOTHING, (0.0, 0, 0, 1), id='void and crowd together'),
        pytest.param(('11111', '11223', '0', '100', '011'), NOTHING, (0.0, 0, 0, 1), id='all crowds of a class'),
        pytest.param(('0000', '1122', '', '01'), (0.0, 0, 0, 1), (0.0, 0, 0, 1), id='empty prediction'),
        pytest.param(('0000', '0000', '', ''), NOTHING, NOTHING, id='empty both'),
        pytest.param(('2222', '3333', '101', '001'), (0.0, 0, 1, 0), (0.0, 0, 0, 1), id='segments without pixels'),
    ],
)
def test_rules(arguments: tuple[str, ...], first: tuple[float, ...], second: tuple[float, ...]) -> None:
    assert _strip(*arguments) == [first, second]


def test_maps_are_left_alone_and_of_any_integer_type(random_case: Callable) -> None:
    prediction, labels, truth, truth_labels, crowd = random_case(np.random.default_rng(0), K).tensors()
    kept = prediction.clone(), truth.clone()
    counts = panoptic_counts(prediction, labels, truth, truth_labels, crowd, K)
    assert torch.equal(prediction, kept[0])
    assert torch.equal(truth, kept[1])
    same = panoptic_counts(prediction.long(), labels, truth.to(torch.uint8), truth_labels, crowd, K)
    assert all(torch.equal(one, other) for one, other in zip(same, counts))


def test_scores_and_means_by_hand() -> None:
    iou = torch.tensor([1.5, 0, 0, 0.6], dtype=torch.double)
    matched, wrong, missed = torch.tensor([[2, 0, 0, 1], [1, 0, 3, 0], [1, 0, 0, 0]])
    scores = panoptic_scores(PanopticCounts(iou, matched, wrong, missed))
    assert scores.pq.tolist() == pytest.approx([0.5, float('nan'), 0, 0.6], nan_ok=True)
    assert scores.sq.tolist() == pytest.approx([0.75, float('nan'), 0, 0.6], nan_ok=True)
    assert scores.rq.tolist() == pytest.approx([2 / 3, float('nan'), 0, 1], nan_ok=True)
    first_two, second = torch.tensor([True, True, False, False]), torch.tensor([False, True, False, False])
    assert [float(score) for score in mean_scores(scores, torch.ones(4, dtype=torch.bool))] == pytest.approx(
        [1.1 / 3, 1.35 / 3, 5 / 9]
    )
    assert [float(score) for score in mean_scores(scores, first_two)] == pytest.approx([0.5, 0.75, 2 / 3])
    assert all(score.isnan() for score in mean_scores(scores, second))
    assert all(score.isnan() for score in mean_scores(scores, torch.zeros(4, dtype=torch.bool)))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(prediction=[[0, 3]]), r'predicted segment id 3 is outside 0\.\.2'),
        (dict(prediction=[[0, -1]]), r'predicted segment id -1 is outside'),
        (dict(truth=[[2, 0]]), r'true segment id 2 is outside 0\.\.1'),
        (dict(truth=[[-5, 0]]), r'true segment id -5 is outside'),
        (dict(prediction=[[0], [1]]), r'differ in size'),
        (dict(prediction_labels=[0, 4]), r'class of a predicted segment: id 4 is outside 0\.\.3'),
        (dict(prediction_labels=[-1, 0]), r'class of a predicted segment: id -1'),
        (dict(truth_labels=[255]), r'class of a true segment: id 255 is outside 0\.\.3'),
        (dict(crowd=[]), r'0 crowd flags for 1 true segments'),
    ],
)
def test_what_does_not_fit_is_an_error(changes: dict[str, list], message: str) -> None:
    whole = dict(prediction=[[1, 2]], prediction_labels=[0, 3], truth=[[1, 1]], truth_labels=[1], crowd=[False])
    with pytest.raises(DataError, match=message):
        panoptic_counts(**{key: torch.tensor(value) for key, value in (whole | changes).items()}, num_classes=4)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.long])
def test_classes_as_segments(dtype: torch.dtype) -> None:
    label = torch.tensor([[0, 2, 255], [254, 253, 0]], dtype=dtype)
    segments = class_segments(label, 255)
    assert segments.tolist() == [[1, 3, 0], [255, 254, 1]]
    assert segments.dtype == torch.int32
    assert class_segments(label.clamp(min=253) - 253, 3, ignore_index=200).tolist() == [[1, 1, 3], [2, 1, 1]]
    with pytest.raises(DataError, match=r'label id 254 is outside 0\.\.2'):
        class_segments(label, 3)
    with pytest.raises(DataError, match=r'ignore_index 255 is also a class id'):
        class_segments(label, 256)
