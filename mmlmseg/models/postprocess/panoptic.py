"""Panoptic results: queries compete for the pixels of an image and make disjoint segments (MaskFormer, section 3.4).

In several label spaces at once they compete inside exclusive groups only, so masks of different spaces may overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...errors import OptionError
from ...label_space import LabelSpace
from ...segments import MaskSet, SegmentMap, Segments
from ..numerics import at_least_float32, no_autocast
from ..structures import Prediction
from .geometry import resize, restore
from .mixed import Duplicates, exclusive_groups, unite_duplicates


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


class Candidates(NamedTuple):
    """The queries that take part in a result.

    Attributes:
        masks: ``[n, H, W]`` mask probabilities at the original size.
        labels: ``[n]`` long: their classes.
        scores: ``[n]``: their class probabilities.
    """

    masks: Tensor
    labels: Tensor
    scores: Tensor


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
    everything, overlap, pixel = _joined(found, spaces, thresholds)
    maps: list[SegmentMap] = []
    for own in group.unique().tolist():
        members = (group[everything.labels] == own).nonzero()[:, 0]
        competing = Candidates(*(part[members] for part in everything)) if len(spaces) > 1 else everything
        maps.append(compete(competing, is_thing, overlap[members], pixel[members]))
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


def _joined(
    found: Sequence[Candidates], spaces: Sequence[LabelSpace], thresholds: Sequence[PanopticThresholds]
) -> tuple[Candidates, Tensor, Tensor]:
    """The candidates of all spaces, their labels over all classes; and the overlap and pixel threshold of each."""
    of_each = [own.scores.new_tensor([[t.overlap, t.pixel]] * len(own.scores)) for own, t in zip(found, thresholds)]
    overlap, pixel = torch.cat([rows.reshape(-1, 2) for rows in of_each]).unbind(1)
    if len(found) == 1:
        return found[0], overlap, pixel
    first = [sum(space.num_classes for space in spaces[:i]) for i in range(len(found))]
    labels = torch.cat([own.labels + offset for own, offset in zip(found, first, strict=True)])
    masks, scores = torch.cat([own.masks for own in found]), torch.cat([own.scores for own in found])
    return Candidates(masks, labels, scores), overlap, pixel


@torch.no_grad()
def candidates(own: Prediction, size: tuple[int, int], meta: Mapping[str, Any], object_threshold: float) -> Candidates:
    """Finds the queries whose best class is not no-object and more probable than a threshold.

    Args:
        own: What the model says of one sample.
        size: Height and width of the padded input.
        meta: The sample's metainfo, see :func:`restore`.
        object_threshold: Of the class probability.

    Returns:
        The candidates at the original size; only their masks are resized, so that [n, H0, W0] is the largest tensor.
    """
    with no_autocast(own.classes):
        scores, labels = own.classes.max(-1)  # [N]
        found = ((labels < own.classes.shape[-1] - 1) & (scores > object_threshold)).nonzero()[:, 0]  # [n]
        scores, labels = scores[found], labels[found]
        if not len(found):
            return Candidates(scores.new_zeros(0, *meta['ori_shape'][:2]), labels, scores)
        masks = at_least_float32(own.mask_logits[found]).to(scores.dtype)
        return Candidates(restore(resize(masks, size), meta).sigmoid_(), labels, scores)


@torch.no_grad()
def compete(found: Candidates, is_thing: Tensor, overlap: Tensor, pixel: Tensor) -> SegmentMap:
    """Gives each pixel to the candidate with the largest product of class and mask probability.

    A candidate that gets no pixel, has no pixel of mask probability 0.5 or more, or wins too small a fraction of these,
    leaves void. Those of one stuff class make one segment, one of a thing class makes its own.

    Args:
        found: The candidates.
        is_thing: Whether a class is countable, bool [K].
        overlap: The smallest fraction of its mask that each candidate must win, [n].
        pixel: The smallest mask probability of the pixels that each candidate gets, [n].

    Returns:
        Segments with one map: stuff in the order of the classes, then things in the order of the queries. The score of
        a stuff segment is the mean of its queries' class probabilities, weighted by the pixels they got.
    """
    masks, labels, scores = found
    if not len(labels):
        blank = torch.zeros(1, *masks.shape[1:], dtype=torch.int32, device=labels.device)
        return SegmentMap(blank, labels, scores=scores)
    with no_autocast(masks):
        inside = (masks >= 0.5).flatten(1).sum(1)  # [n]
        winner = (masks * scores[:, None, None]).argmax(0)  # [H0, W0]
        won = winner.flatten().bincount(minlength=len(labels))  # [n]
        sure = masks.gather(0, winner[None])[0] >= pixel[winner]  # [H0, W0]
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
