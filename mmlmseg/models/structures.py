"""What passes between the parts of a model.

Letters: B samples, N segment queries, L predictions of the decoder, K classes, C channels, T targets.

An image may be asked in S label spaces at once. Then there are B * S samples for B images, those of an image side by
side, and what belongs to images (features, memory) keeps its length B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor

from ..label_space import LabelSpace
from .numerics import ClassActivation


@dataclass(frozen=True)
class FinerClasses:
    """Classes of other label spaces that the classes of samples hold, as relations declare them.

    Attributes:
        rows: Text rows ``[B, E, C]``, zero where a sample has fewer.
        members: Of each class which of them it holds, long ``[B, K + 1, G]``; E where there are fewer.
    """

    rows: Tensor
    members: Tensor


@dataclass(frozen=True)
class Categories:
    """What each sample of a batch may be classified as.

    Attributes:
        spaces: The name of the label space asked of each sample, length B.
        valid: ``[B, K + 1]`` bool. The last column is no-object and always valid.
        rows: ``[B, K + 1, C]`` text rows, zero where not valid; None for a model without text.
        finer: What the classes hold of other label spaces; None where nothing of that kind is declared.
        present: In training, the classes that the truth of each sample holds, bool ``[B, K]``; None where nobody asks.
    """

    spaces: tuple[str, ...]
    valid: Tensor
    rows: Tensor | None = None
    finer: FinerClasses | None = None
    present: Tensor | None = None

    def restricted(self, kept: Tensor) -> Categories:
        """The categories without the classes that are not ``kept``, ``[B, K]`` bool.

        Columns keep their places, so labels stay what they are; a class left out is as one that the space never had.
        """
        valid = self.valid.clone()
        valid[:, :-1] &= kept
        rows = None if self.rows is None else self.rows * valid[..., None]
        return replace(self, valid=valid, rows=rows)

    def split(self, lengths: Sequence[int]) -> list[Categories]:
        """The categories of runs of samples, one after the other."""
        parts = [slice(end - length, end) for length, end in zip(lengths, accumulate(lengths), strict=True)]
        return [
            Categories(
                self.spaces[own],
                self.valid[own],
                None if self.rows is None else self.rows[own],
                None if self.finer is None else FinerClasses(self.finer.rows[own], self.finer.members[own]),
                None if self.present is None else self.present[own],
            )
            for own in parts
        ]


@dataclass(frozen=True)
class MemoryLevel:
    """One map of image features that queries attend to.

    Attributes:
        value: ``[B, h*w, C]``.
        position: ``[B, h*w, C]`` positional encoding.
        padding: ``[B, h*w]`` bool, True where a pixel is padding.
        size: (h, w).
    """

    value: Tensor
    position: Tensor
    padding: Tensor
    size: tuple[int, int]


@dataclass(frozen=True)
class PixelFeatures:
    """What a pixel decoder makes of one batch of equally padded images.

    Attributes:
        mask: ``[B, C_mask, h, w]`` per-pixel embeddings.
        memory: The maps that the queries attend to, coarse first.
    """

    mask: Tensor
    memory: list[MemoryLevel]


@dataclass(frozen=True)
class HeadOutputs:
    """Predictions of all decoder layers for one batch; index -1 is the final layer.

    A loss is taken of the few masks that are matched, a sixth of all in LMSeg's setting. So in training the mask logits
    carry no gradient, and :meth:`matched_masks` makes those of them anew that need one.

    Attributes:
        class_logits: ``[L, B, N, K + 1]``, finite; no-object last.
        mask_logits: ``[L, B, N, h, w]``.
        valid: ``[B, K + 1]`` bool: the columns that exist in each sample's space.
        activation: What the class logits mean, see :func:`class_probabilities`.
        spaces: The name of each sample's label space, length B.
        filters: ``[L, B, N, C_mask]``, with gradient. None where the mask logits have their own.
        pixels: ``[B, C_mask, h, w]`` per-pixel embeddings, whose products with the filters the mask logits are.
        presence: ``[B, K]`` logits of which classes are in the image; None where that is not told.
    """

    class_logits: Tensor
    mask_logits: Tensor
    valid: Tensor
    activation: ClassActivation = 'softmax'
    spaces: tuple[str, ...] = ()
    filters: Tensor | None = None
    pixels: Tensor | None = None
    presence: Tensor | None = None

    def matched_masks(self, layer: Tensor, sample: Tensor, query: Tensor) -> Tensor:
        """Mask logits with gradient.

        Args:
            layer: Long ``[M]`` **on the host**, as the others.
            sample: In ascending order.
            query: Of each mask.

        Returns:
            ``[M, h, w]``; depends on filters and pixels also where M is 0.
        """
        device = self.mask_logits.device
        index = torch.stack([layer, sample, query]).to(device, non_blocking=True)
        if self.filters is None or self.pixels is None:
            return self.mask_logits[tuple(index)]
        sets = self.filters.shape[1] // len(self.pixels)  # of an image
        lengths = torch.bincount(sample // sets, minlength=len(self.pixels)).tolist()
        by_image = self.filters[tuple(index)].split(lengths)  # [M_b, C_mask] each
        maps = self.pixels.permute(0, 2, 3, 1).flatten(1, 2)  # [B, h * w, C_mask], where channels lie last no copy
        logits = torch.cat([own @ pixels.T for own, pixels in zip(by_image, maps, strict=True)])
        return logits.unflatten(1, self.pixels.shape[-2:])


@dataclass(frozen=True)
class Prediction:
    """What the final decoder layer says of one sample, in the columns of its own label space.

    Attributes:
        classes: ``[N, K + 1]`` class probabilities, no-object last, not below float32.
        mask_logits: ``[N, h, w]``.
        space: The label space.
        rows: ``[K, C]`` text rows of its classes; None for a model without text.
    """

    classes: Tensor
    mask_logits: Tensor
    space: LabelSpace
    rows: Tensor | None = None

    @property
    def is_thing(self) -> Tensor:
        """``[K]`` bool: whether a class is countable."""
        return torch.tensor(self.space.is_thing, device=self.classes.device)


@dataclass(frozen=True)
class Targets:
    """The truth of one batch of equally padded images.

    Attributes:
        labels: ``[B, T]`` long; 0 where not valid.
        masks: ``[B, T, H, W]`` bool.
        valid: ``[B, T]`` bool: the targets that exist.
        pixels: ``[B, H, W]`` bool: the pixels that count, i.e. are not ignored.
        sources: The file of each image, to name it; empty where there is none.
        weights: ``[B, T]`` what the class of each target weighs in the classification loss; None where all weigh 1.
        unmarked: ``[B, W]`` bool, W of K columns: the classes that a query without a target may be all the same, as
            objects of them are unmarked; None where there is no such class.
    """

    labels: Tensor
    masks: Tensor
    valid: Tensor
    pixels: Tensor
    sources: tuple[str, ...] = ()
    weights: Tensor | None = None
    unmarked: Tensor | None = None
