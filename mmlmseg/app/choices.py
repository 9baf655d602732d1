"""How an answer is shown: every change here needs no new answer of the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import torch
from mmseg.structures import SegDataSample

from ..apis.results import MaskSegmentation, result_of
from ..errors import OptionError
from ..models.postprocess.panoptic import PanopticThresholds
from ..models.segmentors.results import add_results
from ..run_lengths import RunLengths
from ..segments import EncodedMaskSet
from .session import Session

Shown = Literal['classes', 'segments']


@dataclass(frozen=True)
class Choices:
    """What of an answer is shown.

    Attributes:
        show: ``classes``: each label space names every pixel. ``segments``: queries compete for the pixels of their
            exclusive group, and segments that mean the same are united.
        least_score: Of ``classes``: pixels whose class scores less stay clear.
        thresholds: Of ``segments``.
        exclusive: Of ``segments``: groups of label spaces and classes (``camvid11:car``) within which a pixel has one
            class; by default each label space is one.

    Raises:
        OptionError: On another way to show, or a threshold that is no fraction.
    """

    show: Shown = 'classes'
    least_score: float = 0.0
    thresholds: PanopticThresholds = field(default_factory=PanopticThresholds)
    exclusive: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.show not in get_args(Shown):
            raise OptionError(f'what is shown must be {" or ".join(get_args(Shown))}, not {self.show!r}')
        if not 0 <= self.least_score <= 1:
            raise OptionError(f'the least score must be from 0 to 1, not {self.least_score}')


def found(session: Session, choices: Choices) -> MaskSegmentation:
    """What is shown of an answer: of every label space its masks, those of one space never overlap.

    Raises:
        LabelSpaceError: On an exclusive group that names what was not asked for.
        OptionError: On exclusive groups in one label space, or classes of a model that finds things only.
    """
    if choices.show == 'classes':
        return MaskSegmentation(session.path, session.spaces, _classes(session, choices.least_score))
    if choices.exclusive and len(session.spaces) == 1:
        raise OptionError('exclusive groups are for several label spaces at once: choose another one besides')
    sample = SegDataSample(metainfo={**session.view.meta, 'exclusive': choices.exclusive})
    options = replace(session.options, tasks=('panoptic',), thresholds=choices.thresholds, per_space={})
    add_results(sample, session.predictions, session.view, options)
    result = result_of(session.path, sample, session.spaces)
    assert isinstance(result, MaskSegmentation)
    return result


def _classes(session: Session, least_score: float) -> EncodedMaskSet:
    """All pixels of a class as one mask, whose score is the mean of its pixels'."""
    runs, labels, scores = zip(*_masks(session, least_score), strict=True)
    edges = tuple(edge for own in runs for edge in own.edges)
    return EncodedMaskSet(RunLengths(session.size, edges), torch.cat(labels), torch.cat(scores))


def _masks(session: Session, least_score: float) -> Iterator[tuple[RunLengths, torch.Tensor, torch.Tensor]]:
    first = 0
    for space, own in zip(session.spaces, session.class_maps, strict=True):
        numbers = np.where(own.scores >= least_score, own.labels + 1, 0)
        pixels = np.bincount(numbers.ravel(), minlength=space.num_classes + 1)
        total = np.bincount(numbers.ravel(), own.scores.ravel(), minlength=space.num_classes + 1)
        there = np.flatnonzero(pixels[1:])
        runs = RunLengths.of_map(torch.from_numpy(numbers), space.num_classes).take(there.tolist())
        mean = (total[1:] / np.maximum(pixels[1:], 1))[there]
        yield runs, torch.from_numpy(there + first), torch.from_numpy(mean)
        first += space.num_classes
