from __future__ import annotations

import pytest
import torch

from mmlmseg.models.numerics import at_least_float32, no_autocast


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_lifted(dtype: torch.dtype) -> None:
    assert at_least_float32(torch.ones(2, dtype=dtype)).dtype == torch.float32


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_full_precision_passes_untouched(dtype: torch.dtype) -> None:
    tensor = torch.ones(2, dtype=dtype)
    assert at_least_float32(tensor) is tensor


def test_no_autocast_keeps_the_precision_of_products() -> None:
    matrix = torch.ones(2, 2)
    with torch.autocast('cpu', torch.bfloat16):
        assert (matrix @ matrix).dtype == torch.bfloat16
        with no_autocast(matrix):
            assert (matrix @ matrix).dtype == torch.float32
