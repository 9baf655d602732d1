"""Text rows of the classes of other label spaces that the classes of samples hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...class_texts import Text
from ..structures import FinerClasses


def finer_classes(
    names: Sequence[Sequence[Sequence[Text]]], width: int, values: Tensor, position: Mapping[Text, int]
) -> FinerClasses:
    """The finer classes of samples, by their names: of each sample, of each of its classes.

    Args:
        names: Of samples without any, nothing.
        width: K.
        values: Rows, the last one zero.
        position: Of each name in them.
    """
    blank = len(values) - 1
    rows = [[position[name] for members in classes for name in members] for classes in names]
    most = max(map(len, rows))  # E
    largest = max(len(members) for classes in names for members in classes)  # G
    table = torch.full((len(names), width + 1, largest), most)
    for sample, classes in enumerate(names):
        start = 0
        for column, members in enumerate(classes):
            table[sample, column, : len(members)] = torch.arange(start, start + len(members))
            start += len(members)
    index = torch.tensor([own + [blank] * (most - len(own)) for own in rows], device=values.device)  # [B, E]
    return FinerClasses(F.embedding(index, values), table.to(values.device))
