"""The functional panoptic instance quality: PQ without overlaps, loops over sets of pixels with them, its rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from mmlmseg.errors import DataError
from mmlmseg.evaluation.functional import PanopticCounts, panoptic_counts, piq_counts
from mmlmseg.segments import SegmentMap

K = 4
GROUPS = [0, 1, 0, 1]


class Case(NamedTuple):
    """One image: the arguments of ``piq_counts`` as arrays and lists."""

    prediction: np.ndarray
    prediction_labels: list[int]
    scores: list[float]
    truth: np.ndarray
    truth_labels: list[int]
    crowd: list[bool]
    void: np.ndarray
    groups: list[int]

    def count(self, matching: Any = 'greedy') -> PanopticCounts:
        return piq_counts(
            torch.from_numpy(self.prediction),
            torch.tensor(self.prediction_labels, dtype=torch.long),
            torch.tensor(self.scores, dtype=torch.float),
            torch.from_numpy(self.truth),
            torch.tensor(self.truth_labels, dtype=torch.long),
            torch.tensor(self.crowd, dtype=torch.bool),
            torch.from_numpy(self.void),
            torch.tensor(self.groups),
            matching,
        )


def _rectangle(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    (top, bottom), (left, right) = (np.sort(random.integers(0, length + 1, 2)) for length in size)
    mask[top:bottom, left:right] = True  # empty now and then
    return mask


def _random_overlaps(random: np.random.Generator, size: tuple[int, int] = (6, 8)) -> Case:
    """Near duplicates on both sides, so that many predictions fit many true masks."""
    void = np.stack([_rectangle(random, size) & (random.random() < 0.5) for _ in range(2)])
    shapes = [(_rectangle(random, size), int(random.integers(0, K))) for _ in range(2)]

    def masks(count: int, noise: float) -> tuple[np.ndarray, list[int]]:
        drawn = [shapes[i] for i in random.integers(0, 2, count)]
        noisy = [shape ^ (random.random(size) < noise) for shape, _ in drawn]
        labels = [label if random.random() < 0.8 else int(random.integers(0, K)) for _, label in drawn]
        return np.array(noisy, dtype=bool).reshape(-1, *size), labels

    truth, truth_labels = masks(int(random.integers(0, 6)), 0.05)
    crowd = (random.random(len(truth)) < 0.15).tolist()
    for i, label in enumerate(truth_labels):
        truth[i] &= crowd[i] | ~void[GROUPS[label]]
    prediction, labels = masks(int(random.integers(0, 7)), 0.1)
    scores = (random.integers(1, 5, len(labels)) / 4).tolist()  # ties too
    return Case(prediction, labels, scores, truth, truth_labels, crowd, void, GROUPS)


def _pixels(mask: np.ndarray) -> set[int]:
    return set(np.flatnonzero(mask).tolist())


def _loops(case: Case, label: int, matching: str) -> tuple[Fraction, set[tuple[int, int, int]]]:
    """Summed IoU of a class, and the (TP, FP, FN) that may go with it."""
    void = _pixels(case.void[case.groups[label]])
    of_class = [(_pixels(m), c) for m, k, c in zip(case.truth, case.truth_labels, case.crowd) if k == label and m.any()]
    true = [pixels for pixels, crowd in of_class if not crowd]
    unjudged = void.union(*(pixels for pixels, crowd in of_class if crowd))
    found = [
        (score, _pixels(mask))
        for mask, other, score in zip(case.prediction, case.prediction_labels, case.scores)
        if other == label and mask.any()
    ]
    found = sorted(found, key=lambda pair: -pair[0])
    excused = [len(pixels & unjudged) > len(pixels - unjudged) for _, pixels in found]
    table = [[Fraction(len(p & t), len(t | (p - void))) for t in true] for _, p in found]
    options = [[None, *(t for t, iou in enumerate(row) if iou > Fraction(1, 2))] for row in table]

    def outcome(choice: Sequence[int | None]) -> tuple[Fraction, tuple[int, int, int]]:
        pairs = [(p, t) for p, t in enumerate(choice) if t is not None]
        wrong = sum(t is None and not excused[p] for p, t in enumerate(choice))
        return sum((table[p][t] for p, t in pairs), Fraction(0)), (len(pairs), wrong, len(true) - len(pairs))

    if matching == 'greedy':
        choice: list[int | None] = []
        for p, option in enumerate(options):
            left = [t for t in option if t is not None and t not in choice]
            choice.append(max(left, key=lambda t, p=p: table[p][t]) if left else None)
        iou, counts = outcome(choice)
        return iou, {counts}
    taken = ([t for t in choice if t is not None] for choice in product(*options))
    outcomes = [outcome(c) for c, true_of in zip(product(*options), taken) if len(set(true_of)) == len(true_of)]
    best = max(iou for iou, _ in outcomes)
    return best, {counts for iou, counts in outcomes if iou == best}


@pytest.mark.parametrize('matching', ['greedy', 'optimal'])
def test_random_overlaps_equal_loops(matching: str) -> None:
    random = np.random.default_rng(0)
    seen, contested = np.zeros(3, dtype=int), 0
    for _ in range(300):
        case = _random_overlaps(random)
        counts = case.count(matching)
        contested += not torch.equal(counts.iou, case.count('greedy' if matching == 'optimal' else 'optimal').iou)
        for label in range(K):
            iou, outcomes = _loops(case, label, matching)
            assert counts.iou[label].item() == pytest.approx(float(iou), abs=1e-12)
            outcome = tuple(int(count[label]) for count in counts[1:])
            assert outcome in outcomes
            seen += outcome
    assert seen.min() > 100
    assert contested > 10  # the two matchings differ often enough to tell them apart


def _from_panoptic(case: Any) -> Case:
    prediction, labels, truth, truth_labels, _ = case.tensors()
    return Case(
        SegmentMap(prediction[None], labels).to_masks().masks.numpy(),
        case.prediction_labels,
        np.random.default_rng(len(labels)).random(len(labels)).tolist(),
        SegmentMap(truth[None], truth_labels).to_masks().masks.numpy(),
        case.truth_labels,
        case.crowd,
        case.truth[None] == 0,
        [0] * K,
    )


@pytest.mark.parametrize('matching', ['greedy', 'optimal'])
def test_is_panoptic_quality_without_overlaps(random_case: Callable, matching: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        case = random_case(random, K)
        expected, counts = panoptic_counts(*case.tensors(), K), _from_panoptic(case).count(matching)
        torch.testing.assert_close(counts.iou, expected.iou, rtol=0, atol=1e-12)
        assert all(torch.equal(one, other) for one, other in zip(counts[1:], expected[1:]))
        assert [count.dtype for count in counts] == [count.dtype for count in expected]


@pytest.mark.parametrize('matching', ['greedy', 'optimal'])
def test_label_spaces_on_one_image_do_not_touch_each_other(random_case: Callable, matching: str) -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        apart = random_case(random, K), random_case(random, K)  # each with segments and void of its own
        one, other = (_from_panoptic(case) for case in apart)
        both = Case(
            np.concatenate([one.prediction, other.prediction]),
            one.prediction_labels + [label + K for label in other.prediction_labels],
            one.scores + other.scores,
            np.concatenate([one.truth, other.truth]),
            one.truth_labels + [label + K for label in other.truth_labels],
            one.crowd + other.crowd,
            np.concatenate([one.void, other.void]),
            [0] * K + [1] * K,
        )
        expected = (panoptic_counts(*case.tensors(), K) for case in apart)
        for together, *halves in zip(both.count(matching), *expected):
            torch.testing.assert_close(together, torch.cat(halves), rtol=0, atol=1e-12)


def _strip(
    prediction: str,
    labels: str,
    truth: str,
    truth_labels: str,
    crowd: str = '',
    void: str = '',
    matching: str = 'greedy',
) -> list[tuple[float, ...]]:
    """Counts of an image one pixel high; masks are words of 0 and 1, predictions come with falling scores."""
    width = len((prediction or truth).split()[0])

    def masks(words: str) -> np.ndarray:
        return np.array([[c == '1' for c in word] for word in words.split()], dtype=bool).reshape(-1, 1, width)

    case = Case(
        masks(prediction),
        [int(label) for label in labels],
        [1 - 0.1 * i for i in range(len(labels))],
        masks(truth),
        [int(label) for label in truth_labels],
        [flag == '1' for flag in crowd or '0' * len(truth_labels)],
        masks(void or f'{"0" * width} {"0" * width}'),
        [0, 1],
    )
    counts = case.count(matching)
    return [tuple(count[k].item() for count in counts) for k in range(2)]


NOTHING = (0.0, 0, 0, 0)


@pytest.mark.parametrize(
    ('arguments', 'first', 'second'),
    [
        pytest.param(('1110 0111', '01', '1110 0111', '01'), (1.0, 1, 0, 0), (1.0, 1, 0, 0), id='classes that overlap'),
        pytest.param(('1110 1110', '00', '1110 0111', '01'), (1.0, 1, 1, 0), (0.0, 0, 0, 1), id='a duplicate is wrong'),
        pytest.param(('1111', '0', '1110 0111', '00'), (0.75, 1, 0, 1), NOTHING, id='one match for a prediction'),
        pytest.param(('1100', '0', '1111', '0'), (0.0, 0, 1, 1), NOTHING, id='an IoU of one half is no match'),
        pytest.param(('1111', '0', '1100', '0', '', '0011 0000'), (1.0, 1, 0, 0), NOTHING, id='void is in no union'),
        pytest.param(('1111', '0', '1100', '0', '', '0000 0011'), (0.0, 0, 1, 1), NOTHING, id='void of others is'),
        pytest.param(('1111', '0', '', '', '', '0111 0000'), NOTHING, NOTHING, id='void excuses'),
        pytest.param(('1111', '0', '', '', '', '0011 1111'), (0.0, 0, 1, 0), NOTHING, id='half void does not'),
        pytest.param(('1111', '0', '1111', '0', '1'), NOTHING, NOTHING, id='a crowd is neither matched nor missed'),
        pytest.param(('1111', '0', '1111', '1', '1'), (0.0, 0, 1, 0), NOTHING, id='a crowd excuses its class only'),
        pytest.param(('1111', '0', '1100 1100', '00', '11'), (0.0, 0, 1, 0), NOTHING, id='pixels excuse once'),
        pytest.param(('1111', '0', '1100 0110', '00', '11'), NOTHING, NOTHING, id='crowds together'),
        pytest.param(('1111', '0', '1100', '0', '1', '0110 0000'), NOTHING, NOTHING, id='a crowd with void'),
        pytest.param(('1111', '1', '1100', '1', '1', '0110 0000'), NOTHING, (0.0, 0, 1, 0), id='and not with others'),
        pytest.param(('0000', '0', '0000', '1'), NOTHING, NOTHING, id='masks without pixels'),
        pytest.param(('', '', '1100 1100', '01'), (0.0, 0, 0, 1), (0.0, 0, 0, 1), id='no prediction'),
        pytest.param(('1100 1100', '01', '', ''), (0.0, 0, 1, 0), (0.0, 0, 1, 0), id='no truth'),
    ],
)
@pytest.mark.parametrize('matching', ['greedy', 'optimal'])
def test_rules(arguments: tuple[str, ...], first: tuple[float, ...], second: tuple[float, ...], matching: str) -> None:
    assert _strip(*arguments, matching=matching) == [first, second]


def test_the_surest_chooses_first_and_the_optimum_shares() -> None:
    # The first fits both true masks, the second (IoU 3/5 and less than half) only the one that the first likes best.
    masks = ('11110 00111', '00', '11111 11100', '00')
    greedy, optimal = (_strip(*masks, matching=matching)[0] for matching in ('greedy', 'optimal'))
    assert greedy == pytest.approx((4 / 5, 1, 1, 1))
    assert optimal == pytest.approx((3 / 4 + 3 / 5, 2, 0, 0))


def test_equal_scores_go_by_order() -> None:
    case = _random_overlaps(np.random.default_rng(0))
    masks = np.array([[[1, 1, 1, 0]], [[1, 1, 1, 1]]], dtype=bool)
    for first, iou in ((0, 0.75), (1, 1.0)):
        tied = case._replace(
            prediction=masks[[first, 1 - first]],
            prediction_labels=[0, 0],
            scores=[0.5, 0.5],
            truth=masks[1:],
            truth_labels=[0],
            crowd=[False],
            void=np.zeros((2, 1, 4), dtype=bool),
        )
        assert tied.count().iou[0].item() == iou
        assert tied._replace(scores=[0.5, 0.6]).count().iou[0].item() == 1.75 - iou


@pytest.mark.parametrize('seed', range(5))
def test_autocast_changes_nothing(seed: int) -> None:
    case = _random_overlaps(np.random.default_rng(seed), size=(40, 60))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = case.count()
    for one, other in zip(case.count(), half):
        assert one.tolist() == other.tolist()


def test_exact_beyond_what_float32_can_count() -> None:
    size = 2**24 + 2
    masks = torch.ones(2, 1, size, dtype=torch.bool)
    masks[0, 0, 0] = False
    one, nowhere = torch.zeros(1, dtype=torch.long), torch.zeros(1, 1, size, dtype=torch.bool)
    counts = piq_counts(masks[:1], one, torch.ones(1), masks[1:], one, one.bool(), nowhere, one)
    assert counts.iou.item() == (size - 1) / size  # size - 1 is no float32


def _whole() -> dict[str, Tensor]:
    return dict(
        prediction=torch.tensor([[[1, 1, 0]], [[0, 1, 1]]]).bool(),
        prediction_labels=torch.tensor([0, 3]),
        scores=torch.tensor([0.5, 0.25]),
        truth=torch.tensor([[[1, 1, 0]]]).bool(),
        truth_labels=torch.tensor([1]),
        crowd=torch.tensor([False]),
        void=torch.tensor([[[1, 1, 1]], [[0, 0, 1]]]).bool(),
        group_of_class=torch.tensor(GROUPS),
    )


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(prediction_labels=[0, 4]), r'class of a predicted mask: id 4 is outside 0\.\.3'),
        (dict(truth_labels=[-1]), r'class of a true mask: id -1 is outside'),
        (dict(group_of_class=[0, 1, 2, 1]), r'group of a class: id 2 is outside 0\.\.1'),
        (dict(prediction_labels=[0]), r'\(1,\) labels for 2 predicted masks'),
        (dict(scores=[0.5]), r'\(1,\) scores for 2 predicted masks'),
        (dict(truth_labels=[1, 1]), r'\(2,\) labels for 1 true masks'),
        (dict(crowd=[]), r'\(0,\) crowd flags for 1 true masks'),
        (dict(scores=[0.5, float('nan')]), r'score of a predicted mask is not a finite number'),
        (dict(prediction=[[[1, 1, 0]], [[0, 1, 1]]]), r'predicted masks must be bool .*torch\.int64'),
        (dict(truth=[[True, True, False]]), r'true masks must be bool \[n, H, W\], not torch\.bool \[1, 3\]'),
        (dict(truth=[[[True, True]]]), r'true masks \[1, 2\] and void \[1, 3\] differ in size'),
        (dict(truth_labels=[0]), r'true mask 0 of class 0 covers 2 pixels that are void.*order of the groups\?'),
    ],
)
def test_what_does_not_fit_is_an_error(changes: dict[str, list], message: str) -> None:
    piq_counts(**_whole())
    with pytest.raises(DataError, match=message):
        piq_counts(**_whole() | {key: torch.tensor(value) for key, value in changes.items()})


def test_an_unknown_matching_is_an_error() -> None:
    with pytest.raises(ValueError, match=r'matching must be "greedy" or "optimal", got \'best\''):
        piq_counts(**_whole(), matching='best')
