"""Panoptic results: queries compete for the pixels of an image and make disjoint segments (MaskFormer, section 3.4).

In several label spaces at once they compete inside exclusive groups only, so masks of different spaces may overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import OptionError
from ...label_space import LabelSpace
from ...segments import MaskSet, SegmentMap, Segments
from ..structures import Prediction
from .mixed import Duplicates, exclusive_groups, unite_duplicates
from .row_maps import RowMaps, Size, best


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
        size: Height and width of the padded input.
        meta: The sample's metainfo, see :meth:`RowMaps.restore`.
    """

    masks: Tensor
    labels: Tensor
    scores: Tensor
    size: Size
    meta: Mapping[str, Any]

    def take(self, which: Tensor) -> Candidates:
        """Some of them: bool [n], or their numbers."""
        return replace(self, masks=self.masks[which], labels=self.labels[which], scores=self.scores[which])

    def probabilities(self) -> RowMaps:
        """Mask probabilities ``[H0, W0, n]`` at the original size."""
        resized = RowMaps.of(self.masks, self.scores.dtype).resize(self.size).restore(self.meta)
        return resized.map(torch.Tensor.sigmoid_)


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
        The segments in the order of :func:`compete`: a map of one label space; of several, masks, group by group.
    """
    device = found[0].labels.device
    group = exclusive_groups(spaces).to(device) if group is None else group
    is_thing = torch.tensor([thing for space in spaces for thing in space.is_thing], device=device)
    first = [sum(space.num_classes for space in spaces[:i]) for i in range(len(spaces))]
    everything = [replace(own, labels=own.labels + offset) for own, offset in zip(found, first, strict=True)]
    maps: list[SegmentMap] = []
    for number in group.unique().tolist():
        members = [own.take(group[own.labels] == number) for own in everything]
        limits = [own.scores.new_tensor([[t.overlap, t.pixel]]) for own, t in zip(members, thresholds, strict=True)]
        of_each = torch.cat([limit.expand(len(own.scores), 2) for limit, own in zip(limits, members, strict=True)])
        maps.append(compete(members, is_thing, overlap=of_each[:, 0], pixel=of_each[:, 1]))
    if len(spaces) == 1 and len(maps) == 1:
        return maps[0]
    labels, scores = torch.cat([own.labels for own in maps]), torch.cat([own.scores for own in maps])
    joint = MaskSet(
        torch.cat([own.to_masks().masks for own in maps]),
        labels,
        scores=scores,
        origins=[(label,) for label in labels.tolist()],
    )
    return joint if duplicates is None else unite_duplicates(joint, group, duplicates)


@torch.no_grad()
def candidates(own: Prediction, size: Size, meta: Mapping[str, Any], object_threshold: float) -> Candidates:
    """Finds the queries whose best class is not no-object and more probable than a threshold.

    Args:
        own: What the model says of one sample.
        size: Height and width of the padded input.
        meta: The sample's metainfo, see :meth:`RowMaps.restore`.
        object_threshold: Of the class probability.
    """
    scores, labels = own.classes.max(-1)  # [N]
    found = (labels < own.classes.shape[-1] - 1) & (scores > object_threshold)
    return Candidates(own.mask_logits[found], labels[found], scores[found], size, meta)


@torch.no_grad()
def compete(found: Sequence[Candidates], is_thing: Tensor, overlap: Tensor, pixel: Tensor) -> SegmentMap:
    """Gives each pixel to the candidate with the largest product of class and mask probability.

    A candidate that gets no pixel, has no pixel of mask probability 0.5 or more, or wins too small a fraction of these,
    leaves void. Those of one stuff class make one segment, one of a thing class makes its own.

    Args:
        found: The n candidates, which may be of several label spaces.
        is_thing: Whether a class is countable, bool [K].
        overlap: The smallest fraction of its mask that each candidate must win, [n].
        pixel: The smallest mask probability of the pixels that each candidate gets, [n].

    Returns:
        Segments with one map: stuff in the order of the classes, then things in the order of the queries. The score of
        a stuff segment is the mean of its queries' class probabilities, weighted by the pixels they got.
    """
    labels, scores = torch.cat([own.labels for own in found]), torch.cat([own.scores for own in found])  # [n]
    size = tuple(found[0].meta['ori_shape'][:2])
    winner = torch.zeros(size, dtype=torch.int32, device=labels.device)  # [H0, W0]
    if not len(labels):
        return SegmentMap(winner[None], labels, scores=scores)
    sure = torch.zeros(size, dtype=torch.bool, device=labels.device)  # [H0, W0]
    inside = torch.zeros_like(labels)  # [n], pixels
    for rows, masks in RowMaps.joined([own.probabilities() for own in found if len(own.labels)]).strips():
        inside += (masks >= 0.5).sum((0, 1))
        first = best(masks * scores)  # [R, W0]
        winner[rows] = first
        sure[rows] = masks.gather(-1, first[..., None])[..., 0] >= pixel[first]
    won = winner.flatten().bincount(minlength=len(labels))  # [n]
    got = winner[sure].bincount(minlength=len(labels))  # [n]
    stays = ((got > 0) & (inside > 0) & (won.double() / inside >= overlap)).nonzero()[:, 0]

    segment, merged, merged_scores = _merge_stuff(labels[stays], scores[stays], got[stays], is_thing)
    ids = torch.zeros_like(labels, dtype=torch.int32)
    ids[stays] = segment.int() + 1
    return SegmentMap((ids[winner] * sure)[None], merged, scores=merged_scores)


def _merge_stuff(label: Tensor, score: Tensor, pixels: Tensor, is_thing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The segment of each query [n], and class and score of each segment [S]."""
    # Equal for queries of one segment: its class for stuff, a number of its own for a thing.
    key = torch.where(is_thing[label], len(is_thing) + torch.arange(len(label), device=label.device), label)
    keys, segment = key.unique(return_inverse=True)  # [S], [n]
    labels = torch.empty_like(keys)
    labels[segment] = label
    area = (segment == torch.arange(len(keys), device=label.device)[:, None]) * pixels.to(score.dtype)  # [S, n]
    return segment, labels, (area / area.sum(1, keepdim=True) * score).sum(1)
