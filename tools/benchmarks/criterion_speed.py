"""Time the batched criterion against one that loops over layers and images and leaves the gradients to autograd.

Example:
    python tools/benchmarks/criterion_speed.py --size 192 256 --batch 8 --threads 2
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmlmseg.models.criterion import SetCriterion, semantic_targets
from mmlmseg.models.structures import HeadOutputs, Targets


def random_step(args: argparse.Namespace) -> tuple[HeadOutputs, Targets]:
    """Random predictions, and label maps of random blocks with ``--present`` classes each."""
    height, width = args.size
    cells = torch.randint(0, args.present, (args.batch, 8, 8)).float()
    seg = F.interpolate(cells[:, None], size=(height, width), mode='nearest')[:, 0].long()
    seg[:, : height // 16] = 255
    shape = (args.layers, args.batch, args.queries)
    outputs = HeadOutputs(
        class_logits=torch.randn(*shape, args.classes + 1, device=args.device).requires_grad_(),
        mask_logits=torch.randn(*shape, height // 4, width // 4, device=args.device).requires_grad_(),
        valid=torch.ones(args.batch, args.classes + 1, dtype=torch.bool, device=args.device),
    )
    return outputs, semantic_targets(seg.to(args.device))


def naive(outputs: HeadOutputs, targets: Targets) -> Tensor:
    """The same loss, layer by layer and image by image; assumes fewer targets than queries."""
    layers, samples, queries, columns = outputs.class_logits.shape
    masks_total = targets.valid.sum()
    class_total = masks_total + 0.1 * (samples * queries - masks_total)
    loss = outputs.class_logits.new_zeros(())
    for layer in range(layers):
        for b in range(samples):
            valid = targets.valid[b]
            labels, masks, pixels = targets.labels[b, valid], targets.masks[b, valid].float(), targets.pixels[b].float()
            class_logits, mask_logits = outputs.class_logits[layer, b], outputs.mask_logits[layer, b]
            with torch.no_grad():
                small = F.interpolate(masks[None], size=mask_logits.shape[-2:])[0].flatten(1)
                counted = F.interpolate(pixels[None, None], size=mask_logits.shape[-2:]).flatten()
                focal, dice = _pixel_losses(mask_logits.flatten(1)[:, None], small[None], counted)
                cost = 20 * focal + dice - class_logits.softmax(-1)[:, labels]
            query, order = linear_sum_assignment(cost.cpu())
            classes = torch.full((queries,), columns - 1, device=labels.device)
            classes[query] = labels[order]
            weight = torch.where(classes == columns - 1, 0.1, 1.0)
            loss = loss + (weight * F.cross_entropy(class_logits, classes, reduction='none')).sum() / class_total
            full = F.interpolate(mask_logits[query][None], size=pixels.shape, mode='bilinear', align_corners=False)[0]
            focal, dice = _pixel_losses(full.flatten(1), masks[order].flatten(1), pixels.flatten())
            loss = loss + (20 * focal.sum() + dice.sum()) / masks_total
    return loss


def _pixel_losses(logits: Tensor, masks: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Focal and dice loss over the last dimension, broadcast over the others."""
    p = logits.sigmoid()
    focal = 0.25 * (1 - p) ** 2 * F.softplus(-logits) * masks + 0.75 * p**2 * F.softplus(logits) * (counted - masks)
    dice = 1 - (2 * (p * masks).sum(-1) + 1) / ((p * counted).sum(-1) + masks.sum(-1) + 1)
    return focal.sum(-1) / counted.sum(), dice


def seconds(step: Callable[[], Tensor], outputs: HeadOutputs, repeats: int) -> tuple[float, float]:
    """The shortest time of forward and backward pass, and the loss."""
    best = float('inf')
    for _ in range(repeats + 1):  # the first warms up
        outputs.class_logits.grad = outputs.mask_logits.grad = None
        start = time.perf_counter()
        loss = step()
        loss.backward()
        value = loss.item()  # waits for the device
        best = min(best, time.perf_counter() - start)
    return best, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, nargs=2, default=(192, 256), metavar=('H', 'W'))
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--queries', type=int, default=100)
    parser.add_argument('--layers', type=int, default=6)
    parser.add_argument('--classes', type=int, default=20)
    parser.add_argument('--present', type=int, default=8, help='classes in each image')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--repeats', type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    outputs, targets = random_step(args)
    criterion = SetCriterion()
    batched, loss = seconds(
        lambda: torch.stack(list(criterion([outputs], [targets]).values())).sum(), outputs, args.repeats
    )
    plain, expected = seconds(lambda: naive(outputs, targets), outputs, args.repeats)
    print(f'batched: {batched * 1e3:8.1f} ms   loss {loss:.5f}')
    print(f'naive:   {plain * 1e3:8.1f} ms   loss {expected:.5f}')
    print(f'ratio:   {plain / batched:8.1f}')


if __name__ == '__main__':
    main()
