"""How often the ids of two maps meet: what every metric on maps starts from."""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import DataError


def pair_counts(rows: Tensor, columns: Tensor, size: tuple[int, int], names: tuple[str, str]) -> Tensor:
    """Counts the pixels of every pair of ids, long [R, C].

    Args:
        rows: Integer ids in [0, R), any shape.
        columns: Integer ids in [0, C), of the same shape.
        size: R and C.
        names: What to call the ids of the rows and of the columns in errors.

    Examples:
        >>> pair_counts(torch.tensor([0, 1, 1]), torch.tensor([2, 0, 0]), (2, 3), ('true', 'predicted'))
        tensor([[0, 0, 1],
                [2, 0, 0]])
    """
    if rows.shape != columns.shape:
        raise DataError(f'{names[1]} ids {tuple(columns.shape)} and {names[0]} ids {tuple(rows.shape)} differ in size.')
    for ids, count, name in zip((rows, columns), size, names, strict=True):
        check_range(name, ids, count - 1)
    num_rows, num_columns = size
    # int32 is four times as fast as int64; a histogram that it cannot number would not fit in memory
    joint = rows.to(torch.int32, copy=True).mul_(num_columns).add_(columns)
    return torch.bincount(joint.flatten(), minlength=num_rows * num_columns).view(num_rows, num_columns)


def check_range(name: str, ids: Tensor, largest: int) -> None:
    """Makes sure that all ids lie in 0..``largest``; a DataError names one that does not."""
    if ids.numel():
        low, high = (int(value) for value in ids.aminmax())
        if low < 0 or high > largest:
            raise outside(name, low if low < 0 else high, largest)


def check_ignore_index(ignore_index: int, num_classes: int) -> None:
    """Makes sure that the label of pixels that do not count is no class; a DataError says where it is one."""
    if num_classes > ignore_index:
        raise DataError(f'ignore_index {ignore_index} is also a class id: {num_classes} classes need it to be larger.')


def outside(name: str, value: int, largest: int) -> DataError:
    """The error of an id that is not in 0..``largest``."""
    return DataError(f'{name} id {value} is outside 0..{largest}.')
