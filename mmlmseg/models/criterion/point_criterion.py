"""The criterion of Mask2Former: masks are matched and supervised at points (Cheng et al., CVPR 2022, section 3.3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

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
        rows, columns = pixels_at(points, *targets.pixels.shape[1:])
        image = torch.arange(samples, device=points.device)[:, None]
        counted = targets.pixels[image, rows, columns][..., None]  # [B, P, 1]
        masks = targets.masks[image, :, rows, columns]  # [B, P, T]

        chunk = chunk_length(samples, queries * self.num_points, points.device)
        per_image = [points.split(chunk), (masks & counted).split(chunk), (counted & ~masks).split(chunk)]
        class_weight, mask_weight, dice_weight = self.weights
        by_mask = [
            mask_weight * entropy + dice_weight * dice
            for layer in outputs.mask_logits
            for part in zip(layer.split(chunk), *per_image, strict=True)
            for entropy, dice in [pair_losses(*part)]
        ]
        by_class = class_cost(outputs, targets.labels)
        return class_weight * by_class + torch.cat(by_mask).unflatten(0, (layers, samples))

    def mask_losses(self, logits: Tensor, targets: Targets, sample: Tensor, slot: Tensor) -> tuple[Tensor, Tensor]:
        number, ratios = self.num_points, (self.oversample_ratio, self.importance_ratio)
        chunk = chunk_length(len(logits), int(self.oversample_ratio * number), logits.device)
        logits, parts = at_least_float32(logits), []
        for own, b, t in zip(logits.split(chunk), sample.split(chunk), slot.split(chunk), strict=True):
            points = uncertain_points(own, targets.pixels, b, number, *ratios)  # [m, P, 2]
            rows, columns = pixels_at(points, *targets.pixels.shape[1:])
            inside = targets.masks[b[:, None], t[:, None], rows, columns]
            parts.append((points, inside, targets.pixels[b[:, None], rows, columns]))
        points, inside, counted = map(torch.cat, zip(*parts, strict=True))
        return point_losses(sample_maps(logits[:, None], points)[:, 0], inside, counted)


def pair_losses(logits: Tensor, points: Tensor, inside: Tensor, outside: Tensor) -> tuple[Tensor, Tensor]:
    """The losses of :func:`point_losses` between every query and every target of an image.

    Both are linear in the target, so they are matrix products over the points: no [N, T, P] tensor exists.

    Args:
        logits: Mask logits [m, N, h, w].
        points: Points of each image [m, P, 2].
        inside: Counted points in each target's mask, bool [m, P, T].
        outside: All other counted points, bool [m, P, T].

    Returns:
        Binary cross entropy, a mean over the counted points, and dice loss, [m, N, T] each.
    """
    logits = sample_maps(at_least_float32(logits), points)  # [m, N, P]
    probability = logits.sigmoid()
    inside, outside = inside.to(logits.dtype), outside.to(logits.dtype)
    area = inside.sum(1, keepdim=True)  # [m, 1, T]
    counted = area + outside.sum(1, keepdim=True)
    entropy = F.softplus(-logits) @ inside + F.softplus(logits) @ outside
    overlap = probability @ inside
    total = overlap + probability @ outside + area
    return entropy / counted.clamp(min=1), 1 - (2 * overlap + DICE_SMOOTHING) / (total + DICE_SMOOTHING)
