"""Panoptic quality by plain loops over sets of pixels, and random images and samples to try it on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from mmseg.structures import SegDataSample

from mmlmseg.segments import SegmentMap


@dataclass
class PanopticCase:
    """One image: segments are numbered from 1, 0 is void."""

    prediction: np.ndarray
    prediction_labels: list[int]
    truth: np.ndarray
    truth_labels: list[int]
    crowd: list[bool]

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The arguments of ``panoptic_counts`` before ``num_classes``."""
        prediction_labels = torch.tensor(self.prediction_labels, dtype=torch.long)
        truth_labels = torch.tensor(self.truth_labels, dtype=torch.long)
        crowd = torch.tensor(self.crowd, dtype=torch.bool)
        return torch.from_numpy(self.prediction), prediction_labels, torch.from_numpy(self.truth), truth_labels, crowd


@dataclass
class Tally:
    """What happened to the segments of one class."""

    iou: Fraction = Fraction(0)
    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    excused: int = 0

    def scores(self) -> tuple[float, float, float] | None:
        """PQ, SQ, RQ; none without a segment that counts."""
        segments = self.true_positive + Fraction(self.false_positive + self.false_negative, 2)
        if not segments:
            return None
        sq = self.iou / self.true_positive if self.true_positive else 0
        return float(self.iou / segments), float(sq), float(self.true_positive / segments)


def _pixels(segments: np.ndarray, segment: int) -> set[int]:
    return {place for place, value in enumerate(segments.ravel().tolist()) if value == segment}


def _count_by_loops(cases: Sequence[PanopticCase], num_classes: int) -> list[Tally]:
    tallies = [Tally() for _ in range(num_classes)]
    for case in cases:
        void = _pixels(case.truth, 0)
        described = enumerate(zip(case.truth_labels, case.crowd), start=1)
        true = [(_pixels(case.truth, i), label, crowd) for i, (label, crowd) in described]
        predicted = [(_pixels(case.prediction, i), label) for i, label in enumerate(case.prediction_labels, start=1)]
        matched = set()
        for pixels, label, crowd in true:
            if crowd or not pixels:
                continue
            tallies[label].false_negative += 1
            for i, (other, other_label) in enumerate(predicted):
                iou = Fraction(len(pixels & other), len(pixels | (other - void)))
                if label == other_label and iou > Fraction(1, 2):
                    assert i not in matched
                    matched.add(i)
                    tallies[label].false_negative -= 1
                    tallies[label].true_positive += 1
                    tallies[label].iou += iou
        for i, (pixels, label) in enumerate(predicted):
            if i in matched or not pixels:
                continue
            unjudged = void.union(*(other for other, other_label, crowd in true if crowd and other_label == label))
            if len(pixels & unjudged) > len(pixels - unjudged):
                tallies[label].excused += 1
            else:
                tallies[label].false_positive += 1
    return tallies


def _cells(random: np.random.Generator, size: tuple[int, int], count: int) -> np.ndarray:
    """A map of 1..count, each the pixels nearest to one of as many random points."""
    points = random.uniform((0, 0), size, (count, 2))
    grid = np.stack(np.indices(size), -1)[:, :, None]
    return ((grid - points) ** 2).sum(-1).argmin(-1).astype(np.int32) + 1


def _random_case(random: np.random.Generator, num_classes: int, size: tuple[int, int] = (12, 14)) -> PanopticCase:
    num_true = int(random.integers(1, 9))
    truth = _cells(random, size, num_true)
    truth_labels = random.integers(0, num_classes, num_true).tolist()
    # The prediction is the truth, moved and partly cut up, most of its classes right, its segments in another order.
    cuts = _cells(random, size, int(random.integers(1, 5)))
    moved = np.roll(truth, random.integers(-2, 3, 2), (0, 1))
    pieces, prediction = np.unique(np.where(cuts == 1, moved + num_true, moved), return_inverse=True)
    order = random.permutation(len(pieces))
    prediction = order[prediction.reshape(size)].astype(np.int32) + 1
    labels = np.zeros(len(pieces), dtype=int)
    labels[order] = [truth_labels[(piece - 1) % num_true] for piece in pieces]
    wrong = random.random(len(pieces)) < 0.2
    labels[wrong] = random.integers(0, num_classes, wrong.sum())
    truth[_cells(random, size, 6) == 1] = 0
    prediction[_cells(random, size, 12) == 1] = 0
    return PanopticCase(prediction, labels.tolist(), truth, truth_labels, (random.random(num_true) < 0.2).tolist())


@pytest.fixture
def make_case() -> type[PanopticCase]:
    """The class of a test image."""
    return PanopticCase


@pytest.fixture
def random_case() -> Callable[..., PanopticCase]:
    """A factory of random images, with void, crowds, wrong classes and cut-up segments."""
    return _random_case


def _make_sample(case: PanopticCase, name: str = 'x', score: float = 0.9, **metainfo: Any) -> SegDataSample:
    prediction, labels, truth, truth_labels, crowd = case.tensors()
    sample = SegDataSample(metainfo=dict(img_path=f'images/{name}.jpg', **metainfo))
    sample.gt_segments = SegmentMap(truth[None], truth_labels, crowd=crowd)
    sample.pred_segments = SegmentMap(prediction[None], labels, scores=torch.full((len(labels),), score))
    return sample


@pytest.fixture
def sample_of() -> Callable[..., SegDataSample]:
    """A factory of samples from images: truth and prediction in one label space."""
    return _make_sample


@pytest.fixture
def count_by_loops() -> Callable[[Sequence[PanopticCase], int], list[Tally]]:
    """Counts by COCO's rules per class, over images."""
    return _count_by_loops
