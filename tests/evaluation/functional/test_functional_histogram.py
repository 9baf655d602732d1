"""Counts of pairs against a loop, and the checks before them."""

from __future__ import annotations

import pytest
import torch

from mmlmseg.errors import DataError
from mmlmseg.evaluation.functional.histogram import check_ignore_index, check_range, pair_counts

NAMES = ('true', 'predicted')


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int16, torch.int32, torch.int64])
@pytest.mark.parametrize('shape', [(0,), (31,), (9, 14)])
def test_equals_a_loop(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    rows, columns = torch.randint(0, 90, shape), torch.randint(0, 120, shape)
    expected = torch.zeros(100, 130, dtype=torch.long)
    for row, column in zip(rows.flatten().tolist(), columns.flatten().tolist()):
        expected[row, column] += 1
    assert torch.equal(pair_counts(rows.to(dtype), columns.to(dtype), (100, 130), NAMES), expected)


def test_what_does_not_fit_is_an_error() -> None:
    one, two = torch.tensor([1]), torch.tensor([[0, 2]])
    with pytest.raises(DataError, match=r'predicted ids \(1, 2\) and true ids \(1,\) differ in size'):
        pair_counts(one, two, (3, 3), NAMES)
    with pytest.raises(DataError, match=r'true id 1 is outside 0\.\.0'):
        pair_counts(one, one, (1, 2), NAMES)
    with pytest.raises(DataError, match=r'predicted id 1 is outside 0\.\.0'):
        pair_counts(one, one, (2, 1), NAMES)
    with pytest.raises(DataError, match=r'label id -2 is outside 0\.\.1'):
        check_range('label', -two, 1)
    with pytest.raises(DataError, match=r'ignore_index 2 is also a class id: 3 classes'):
        check_ignore_index(2, 3)
    check_ignore_index(2, 2)
