"""Instances of large images: found tile by tile, joined where tiles overlap."""

from __future__ import annotations

import torch
from torch import Tensor

from ...run_lengths import RunLengths, area, union
from ...segments import EncodedMaskSet
from ..postprocess.instance import instances
from ..postprocess.joins import Joins
from .tiled_image import TiledImage


@torch.no_grad()
def tiled_instances(image: TiledImage, most: int) -> EncodedMaskSet:
    """Instances of all tiles; one that several tiles see has the pixels that any of them gives it.

    Args:
        image: Asked in one label space.
        most: At most this many instances of a tile.

    Returns:
        Instances at the original size, the best first. The score of one that several tiles see is the mean of theirs,
        weighted by their pixels.
    """
    joins, scores = Joins(), list[Tensor]()
    numbers: dict[tuple[int, int], range] = {}
    for i in range(len(image.down)):
        for j, (own,) in enumerate(image.row(i)):
            view = image.view(i, j)
            rows, columns = view.window
            found = instances(own, view, most)
            masks = found.runs.placed(image.original, rows.start, columns.start).edges
            numbers[i, j] = joins.add(found.labels.tolist(), masks)
            scores.append(found.scores)
            for other in ((i, j - 1), (i - 1, j)):
                if other in numbers:
                    joins.link(numbers[other], numbers[i, j], image.overlap(other, (i, j)))
    members: dict[int, list[int]] = {}
    for number, root in enumerate(joins.roots()):
        members.setdefault(root, []).append(number)
    certain = torch.cat(scores)
    weights = certain.new_tensor([area(own) for own in joins.masks])
    means = [torch.dot(certain[own], weights[own] / weights[own].sum()) for own in members.values()]
    objects = EncodedMaskSet(
        RunLengths(image.original, tuple(union([joins.masks[n] for n in own]) for own in members.values())),
        labels=torch.tensor([joins.labels[root] for root in members], dtype=torch.long),
        scores=torch.stack(means) if means else certain,
    )
    return objects.take(objects.scores.argsort(descending=True, stable=True).tolist())
