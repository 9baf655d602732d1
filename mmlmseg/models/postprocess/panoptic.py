"""Panoptic results: queries compete for the pixels of an image and make disjoint segments (MaskFormer, section 3.4).

In several label spaces at once they compete inside exclusive groups only, so masks of different spaces may overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from ...errors import OptionError
from ...label_space import LabelSpace
from ...run_lengths import RunLengths
from ...segments import EncodedMaskSet, SegmentMap, Segments
from ..structures import Prediction
from .competition import Competition
from .lazy_maps import LazyMaps
from .mixed import Duplicates, exclusive_groups, unite_duplicates
from .view import View


@dataclass(frozen=True)
class PanopticThresholds:
    """When a query becomes part of a panoptic result.

    Attributes:
        object: The class probability of a query must be above this.
        overlap: A query must win at least this fraction of the pixels of its mask from the other queries.
        pixel: A query gets those pixels that it wins with at least this mask probability. With 0, as MaskFormer has it,
            all pixels go to someone; Mask2Former leaves those below 0.5 void.

    Raises:
        OptionError: Where one is not a fraction.
    """

    object: float = 0.8
    overlap: float = 0.8
    pixel: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value <= 1:
                raise OptionError(f'the {name} threshold of panoptic inference must be from 0 to 1, got {value}')


@dataclass(frozen=True)
class Candidates:
    """The queries that take part in a result.

    Attributes:
        masks: Mask logits ``[n, h, w]`` as the model gives them.
        labels: ``[n]`` long: their classes.
        scores: ``[n]``: their class probabilities.
        view: What the model was shown.
    """

    masks: Tensor
    labels: Tensor
    scores: Tensor
    view: View

    def take(self, which: Tensor) -> Candidates:
        """Some of them: bool [n], or their numbers."""
        return replace(self, masks=self.masks[which], labels=self.labels[which], scores=self.scores[which])

    def probabilities(self) -> LazyMaps:
        """Mask probabilities ``[R, C, n]`` in the window of the original image."""
        return self.view.maps(self.masks, self.scores.dtype).map(torch.Tensor.sigmoid_)


@dataclass(frozen=True)
class Rivals:
    """Candidates of one exclusive group: n of them, of one or several label spaces.

    Attributes:
        members: Those of each label space, with labels over all spaces.
        overlap: The smallest fraction of its mask that each must win, ``[n]``.
        pixel: The smallest mask probability of the pixels that each gets, ``[n]``.
    """

    members: Sequence[Candidates]
    overlap: Tensor
    pixel: Tensor

    @property
    def labels(self) -> Tensor:
        """``[n]`` long."""
        return torch.cat([own.labels for own in self.members])

    @property
    def scores(self) -> Tensor:
        """``[n]``."""
        return torch.cat([own.scores for own in self.members])

    def probabilities(self) -> LazyMaps:
        """Mask probabilities ``[R, C, n]`` of at least one candidate."""
        return LazyMaps.joined([own.probabilities() for own in self.members if len(own.labels)])


@torch.no_grad()
def panoptic_segments(
    found: Sequence[Candidates],
    spaces: Sequence[LabelSpace],
    thresholds: Sequence[PanopticThresholds],
    group: Tensor | None = None,
    duplicates: Duplicates | None = None,
) -> Segments:
    """Lets candidates compete for pixels inside exclusive groups only, then unites what several groups say.

    With a group for each label space and without ``duplicates``, the result is the union of the panoptic results of the
    spaces.

    Args:
        found: The candidates of each asked label space, their labels within that space.
        spaces: The asked spaces.
        thresholds: Of each space; those of the object probability have made the candidates.
        group: The exclusive group of each class of all spaces, long [K]; by default each space is one.
        duplicates: Which segments are one; None keeps all.

    Returns:
        The segments in the order of :meth:`Competition.segments`: a map of one label space; of several, masks, group by
        group.
    """
    group = exclusive_groups(spaces).to(found[0].labels.device) if group is None else group
    maps = [compete(own, things(spaces, group.device)) for own in rivals(found, spaces, thresholds, group)]
    return joint(maps, len(spaces), group, duplicates)


def things(spaces: Sequence[LabelSpace], device: torch.device) -> Tensor:
    """Whether each class of all spaces is countable, bool ``[K]``."""
    return torch.tensor([thing for space in spaces for thing in space.is_thing], device=device)


def rivals(
    found: Sequence[Candidates],
    spaces: Sequence[LabelSpace],
    thresholds: Sequence[PanopticThresholds],
    group: Tensor,
) -> list[Rivals]:
    """The candidates of each exclusive group, in ascending order of these; arguments of :func:`panoptic_segments`."""
    first = [sum(space.num_classes for space in spaces[:i]) for i in range(len(spaces))]
    everything = [replace(own, labels=own.labels + offset) for own, offset in zip(found, first, strict=True)]
    of_groups = []
    for number in group.unique().tolist():
        members = [own.take(group[own.labels] == number) for own in everything]
        limits = [own.scores.new_tensor([[t.overlap, t.pixel]]) for own, t in zip(members, thresholds, strict=True)]
        of_each = torch.cat([limit.expand(len(own.scores), 2) for limit, own in zip(limits, members, strict=True)])
        of_groups.append(Rivals(members, overlap=of_each[:, 0], pixel=of_each[:, 1]))
    return of_groups


def joint(maps: Sequence[SegmentMap], num_spaces: int, group: Tensor, duplicates: Duplicates | None) -> Segments:
    """What all exclusive groups found, see :func:`panoptic_segments`."""
    if num_spaces == 1 and len(maps) == 1:
        return maps[0]
    labels, scores = torch.cat([own.labels for own in maps]).cpu(), torch.cat([own.scores for own in maps]).cpu()
    encoded = [RunLengths.of_map(own.ids[0], len(own.labels)) for own in maps]
    runs = RunLengths(maps[0].size, tuple(edges for own in encoded for edges in own.edges))
    segments = EncodedMaskSet(runs, labels, scores, [(label,) for label in labels.tolist()])
    return segments if duplicates is None else unite_duplicates(segments, group.cpu(), duplicates)


@torch.no_grad()
def candidates(own: Prediction, view: View, object_threshold: float) -> Candidates:
    """Finds the queries whose best class is not no-object and more probable than a threshold.

    Args:
        own: What the model says of one sample.
        view: What it was shown.
        object_threshold: Of the class probability.
    """
    scores, labels = own.classes.max(-1)  # [N]
    found = (labels < own.classes.shape[-1] - 1) & (scores > object_threshold)
    return Candidates(own.mask_logits[found], labels[found], scores[found], view)


@torch.no_grad()
def compete(own: Rivals, is_thing: Tensor) -> SegmentMap:
    """Gives each pixel to the candidate with the largest product of class and mask probability.

    Args:
        own: Who competes.
        is_thing: Whether a class is countable, bool [K].

    Returns:
        See :meth:`Competition.segments`.
    """
    labels, scores = own.labels, own.scores
    competition = Competition(own.members[0].view.original, labels.device)
    numbers = competition.enter(len(labels))
    if len(labels):
        for rows, masks in own.probabilities().strips():
            competition.decide((rows, slice(None)), numbers, masks * scores, masks, own.pixel)
    return competition.segments(labels, scores, own.overlap, is_thing)
