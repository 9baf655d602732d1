"""Criteria: match, then classification and mask losses of every decoder layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from mmengine import dist
from torch import Tensor, nn

from ...errors import OptionError
from ...registry import MODELS
from ..numerics import at_least_float32, mask_classes, no_autocast
from ..structures import HeadOutputs, Targets
from .losses import class_losses, mask_losses, signed_targets, without_unmarked
from .matching import match, matching_cost


class Criterion(nn.Module):
    """The training objective over the size groups of one step; a subclass says what a mask costs and loses.

    Every decoder layer is matched and supervised on its own. All losses are normalised over the whole batch, over all
    size groups and all ranks: the classification loss by the total class weight of the queries' targets, the mask
    losses by the number of matched masks. Pixels that do not count are left out of costs and losses. Weights of single
    classes (``Targets.weights``) count in the classification loss alone, as those of Mask2Former: matching and mask
    losses know none. Queries that are matched with nothing are not told apart from classes of which a sample has
    unmarked objects (``Targets.unmarked``).

    Args:
        weights: Factors of the classification loss and of the two mask losses, in the matching too.
        no_object_weight: Weight of queries that are matched with nothing, in the classification loss.

    Raises:
        OptionError: Where a weight is no number, such as a list of one a class, or negative.

    Attributes:
        names: What the three losses are called.
    """

    names: tuple[str, str, str]

    def __init__(self, weights: tuple[float, float, float], no_object_weight: float) -> None:
        super().__init__()
        for weight in (*weights, no_object_weight):
            if not isinstance(weight, (int, float)) or not 0 <= weight < math.inf:
                raise OptionError(
                    f'{type(self).__name__}: a weight is {weight!r}; class_weight, those of the mask losses and '
                    'no_object_weight are one number each, not negative. Weights of single classes are an option of '
                    'the head: decode_head.class_weights = dict(SPACE=[...]), or dict(SPACE=dict(CLASS=5.0))'
                )
        self.weights = weights
        self.no_object_weight = no_object_weight

    def cost(self, outputs: HeadOutputs, targets: Targets) -> Tensor:
        """What it costs to match any query with any target of its sample in one size group, [L, B, N, T]."""
        raise NotImplementedError

    def mask_losses(self, logits: Tensor, targets: Targets, sample: Tensor, slot: Tensor) -> tuple[Tensor, Tensor]:
        """The two losses of matched masks.

        Args:
            logits: Matched mask logits [M, h, w]. M may be 0; the losses depend on them even so.
            targets: Targets of the size group.
            sample: The sample of each matched mask, long [M].
            slot: The target slot of each matched mask, long [M].

        Returns:
            Unweighted losses, [M] each.
        """
        raise NotImplementedError

    def forward(self, outputs: Sequence[HeadOutputs], targets: Sequence[Targets]) -> dict[str, Tensor]:
        """The losses of one step.

        Args:
            outputs: Predictions, one entry a size group.
            targets: Targets of the same groups.

        Returns:
            Weighted scalar losses of the final decoder layer by name, and those of the others as ``d0.loss_cls``, ...
        """
        matched = match(outputs, targets, self.cost)
        class_totals, mask_totals = normalisers(outputs, targets, matched, self.no_object_weight)
        of_groups = [self._group_losses(*group) for group in zip(outputs, targets, matched, strict=True)]
        sums = torch.stack(of_groups).sum(0)  # [3, L]
        final, auxiliary = {}, {}
        totals = (class_totals, mask_totals, mask_totals)
        for name, weight, total, by_layer in zip(self.names, self.weights, totals, sums, strict=True):
            *others, final[name] = (weight / total * by_layer).unbind()
            auxiliary.update({f'd{layer}.{name}': loss for layer, loss in enumerate(others)})
        return final | auxiliary

    def _group_losses(self, output: HeadOutputs, target: Targets, queries: Tensor) -> Tensor:
        """The un-normalised, unweighted losses of one size group; ``queries`` are what :func:`match` returns for it.

        Returns:
            Classification loss and the two mask losses of each decoder layer, summed over the group [3, L].
        """
        # The masks of one target, of all layers, follow each other.
        sample, slot, layer = (queries >= 0).permute(1, 2, 0).nonzero(as_tuple=True)
        index = torch.stack([layer, sample, slot, queries[layer, sample, slot]])
        mask_logits = output.matched_masks(index[0], index[1], index[3])  # [M, h, w]
        layer, sample, slot, query = index.to(output.mask_logits.device, non_blocking=True)  # [M] each

        with no_autocast(output.mask_logits):
            class_logits = mask_classes(at_least_float32(output.class_logits), output.valid)
            classes = torch.full_like(class_logits[..., 0], class_logits.shape[-1] - 1, dtype=torch.long)  # [L, B, N]
            classes[layer, sample, query] = target.labels[sample, slot]
            if target.unmarked is not None:
                class_logits = without_unmarked(class_logits, classes, target.unmarked)
            weights = None
            if target.weights is not None:
                weights = torch.ones_like(class_logits[..., 0])  # [L, B, N]
                weights[layer, sample, query] = target.weights[sample, slot].to(weights)
            by_class = class_losses(class_logits, classes, self.no_object_weight, output.activation, weights)  # [L]

            # Only matched masks are ever resized or sampled. With no match at all these are sums over nothing that
            # still depend on the mask logits, so that every parameter gets its (zero) gradient.
            losses = torch.stack(self.mask_losses(mask_logits, target, sample, slot))  # [2, M]
            zeros = by_class.new_zeros(2, len(by_class))
            by_mask = zeros.index_add(1, layer, losses.to(zeros.dtype))  # [2, L]
        return torch.cat([by_class[None], by_mask])


@MODELS.register_module()
class SetCriterion(Criterion):
    """The objective of the paper (equation 3): focal and dice loss at all pixels.

    Costs are taken at the resolution of the mask logits, losses at that of the targets.

    Args:
        class_weight: Factor of the classification loss, in the matching too.
        focal_weight: Factor of the focal loss, in the matching too.
        dice_weight: Factor of the dice loss, in the matching too.
        no_object_weight: Weight of queries that are matched with nothing, in the classification loss.
    """

    names = ('loss_cls', 'loss_focal', 'loss_dice')

    def __init__(
        self,
        class_weight: float = 1.0,
        focal_weight: float = 20.0,
        dice_weight: float = 1.0,
        no_object_weight: float = 0.1,
    ) -> None:
        super().__init__((class_weight, focal_weight, dice_weight), no_object_weight)

    def cost(self, outputs: HeadOutputs, targets: Targets) -> Tensor:
        return matching_cost(outputs, targets, *self.weights)

    def mask_losses(self, logits: Tensor, targets: Targets, sample: Tensor, slot: Tensor) -> tuple[Tensor, Tensor]:
        return mask_losses(logits, signed_targets(targets.masks, targets.pixels), sample, slot)


def normalisers(
    outputs: Sequence[HeadOutputs], targets: Sequence[Targets], matched: Sequence[Tensor], no_object_weight: float
) -> tuple[Tensor, Tensor]:
    """What the losses of a step are divided by: the total class weight and the number of matched masks.

    Both are divided by the number of ranks, so that the mean of the ranks' gradients, which DDP takes, is the gradient
    of the loss over the global batch. Layers differ only where classes weigh differently and there are more targets
    than queries.

    Args:
        outputs: Predictions, one entry a size group.
        targets: Targets of the same groups.
        matched: What :func:`match` returns for them.
        no_object_weight: Weight of queries that are matched with nothing.

    Returns:
        Two times a positive number for each layer, [L] each.
    """
    first = at_least_float32(outputs[0].class_logits)
    totals = first.new_zeros(2, len(first))
    for output, target, queries in zip(outputs, targets, matched, strict=True):
        taken = (queries >= 0).to(totals.device, non_blocking=True)  # [L, B, T]
        masks = taken.sum((1, 2)).to(totals)  # [L]
        weight = masks if target.weights is None else (taken * target.weights.to(totals)).sum((1, 2))
        unmatched = output.class_logits[0, ..., 0].numel() - masks
        totals = totals + torch.stack([weight + no_object_weight * unmatched, masks])
    dist.all_reduce(totals)
    class_totals, mask_totals = torch.where(totals > 0, totals, 1.0) / dist.get_world_size()
    return class_totals, mask_totals
