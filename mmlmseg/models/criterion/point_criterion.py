"""The criterion of Mask2Former: masks are matched and supervised at points (Cheng et al., CVPR 2022, section 3.3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ...errors import OptionError
from ...registry import MODELS
from ..numerics import at_least_float32
from ..structures import HeadOutputs, Targets
from .criterion import Criterion
from .losses import DICE_SMOOTHING, chunk_length, point_losses
from .matching import class_cost
from .points import pixels_at, random_points, sample_maps, uncertain_points


@MODELS.register_module()
class PointCriterion(Criterion):
    """Binary cross entropy and dice loss at points, which takes far less memory and time than at all pixels.

    Matching reads all queries and targets of an image at the same uniformly random points; the losses read each matched
    mask at points of its own, most of them where it is undecided. All else is as in :class:`SetCriterion`.

    Args:
        class_weight: Factor of the classification loss, in the matching too.
        mask_weight: Factor of the binary cross entropy, in the matching too.
        dice_weight: Factor of the dice loss, in the matching too.
        no_object_weight: Weight of queries that are matched with nothing, in the classification loss.
        num_points: P, points of each image in the matching and of each matched mask in the losses.
        oversample_ratio: Random points that those of a loss are chosen from, as a multiple of P.
        importance_ratio: The share of a loss's points that is chosen; the rest is uniform.

    Raises:
        OptionError: If there are no points, less than P to choose from, or the share is none.
    """

    names = ('loss_cls', 'loss_mask', 'loss_dice')

    def __init__(
        self,
        class_weight: float = 2.0,
        mask_weight: float = 5.0,
        dice_weight: float = 5.0,
        no_object_weight: float = 0.1,
        num_points: int = 12544,
        oversample_ratio: float = 3.0,
        importance_ratio: float = 0.75,
    ) -> None:
        super().__init__((class_weight, mask_weight, dice_weight), no_object_weight)
        if num_points < 1 or oversample_ratio < 1 or not 0 <= importance_ratio <= 1:
            raise OptionError(
                'PointCriterion needs num_points >= 1, oversample_ratio >= 1 and importance_ratio in [0, 1], '
                f'got {num_points}, {oversample_ratio} and {importance_ratio}'
            )
        self.num_points = num_points
        self.oversample_ratio = oversample_ratio
        self.importance_ratio = importance_ratio

    @torch.no_grad()
    def cost(self, outputs: HeadOutputs, targets: Targets) -> Tensor:
        layers, samples, queries = outputs.mask_logits.shape[:3]
        points = random_points(samples, self.num_points, outputs.mask_logits.device)  # [B, P, 2], for all layers
        pixels = pixels_at(points, *targets.pixels.shape[1:])  # [B, P]
        chunk = chunk_length(layers, queries * self.num_points, points.device)
        _, mask_weight, dice_weight = self.weights
        of_images = []
        for image in range(samples):
            counted = targets.pixels[image].flatten()[pixels[image]]  # [P]
            inside = targets.masks[image].flatten(1)[:, pixels[image]] & counted  # [T, P]
            by_layer = [
                mask_weight * entropy + dice_weight * dice
                for logits in outputs.mask_logits[:, image].split(chunk)
                for entropy, dice in [pair_losses(logits, points[image], inside, counted)]
            ]
            of_images.append(torch.cat(by_layer))  # [L, N, T]
        return self.weights[0] * class_cost(outputs, targets.labels) + torch.stack(of_images, 1)

    def mask_losses(self, logits: Tensor, targets: Targets, sample: Tensor, slot: Tensor) -> tuple[Tensor, Tensor]:
        number, ratios = self.num_points, (self.oversample_ratio, self.importance_ratio)
        chunk = chunk_length(len(logits), int(self.oversample_ratio * number), logits.device)
        parts = []
        for own, b, t in zip(logits.split(chunk), sample.split(chunk), slot.split(chunk), strict=True):
            points = uncertain_points(at_least_float32(own.detach()), targets.pixels, b, number, *ratios)  # [m, P, 2]
            pixels = pixels_at(points, *targets.pixels.shape[1:])
            counted = targets.pixels.flatten(1)[b].gather(1, pixels)  # [m, P]
            inside = targets.masks.flatten(2)[b, t].gather(1, pixels)
            # Read once more in the backward pass: no map at points of all masks is kept.
            parts.append(checkpoint(losses_at, own, points, inside, counted, use_reentrant=False))
        entropy, dice = map(torch.cat, zip(*parts, strict=True))
        return entropy, dice


def losses_at(logits: Tensor, points: Tensor, inside: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """The losses of :func:`point_losses` of masks [m, h, w], each at its own points [m, P, 2]."""
    return point_losses(sample_maps(at_least_float32(logits)[:, None], points)[:, 0], inside, counted)


def pair_losses(logits: Tensor, points: Tensor, inside: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """The losses of :func:`point_losses` between every query and every target of an image.

    Both are linear in the target, so they are matrix products over the points: no [N, T, P] tensor exists.

    Args:
        logits: Mask logits of any layers [l, N, h, w].
        points: Points of the image [P, 2].
        inside: Counted points in each target's mask, bool [T, P].
        counted: Points that count, bool [P].

    Returns:
        Binary cross entropy, a mean over the counted points, and dice loss, [l, N, T] each.
    """
    layers, queries = logits.shape[:2]
    logits = sample_maps(at_least_float32(logits.flatten(0, 1)[None]), points[None])[0]  # [l * N, P]
    regions = torch.cat([inside, counted[None]]).to(logits.dtype)  # [T + 1, P]: targets, then all that counts
    size = regions.sum(1)
    area, count = size[:-1], size[-1].clamp(min=1)
    # -log(1 - p) everywhere, less what being inside saves: log(p) - log(1 - p), the logit.
    entropy = F.softplus(logits) @ regions[-1:].T - logits @ regions[:-1].T  # [l * N, T]
    overlap = logits.sigmoid_() @ regions.T  # [l * N, T + 1]
    overlap, total = overlap[:, :-1], overlap[:, -1:] + area
    dice = 1 - (2 * overlap + DICE_SMOOTHING) / (total + DICE_SMOOTHING)
    by_layer = (layers, queries)
    return (entropy / count).unflatten(0, by_layer), dice.unflatten(0, by_layer)
