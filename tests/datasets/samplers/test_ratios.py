from __future__ import annotations

from typing import Any

import pytest

from mmlmseg.datasets.samplers.ratios import dataset_probabilities
from mmlmseg.errors import DataError

SIZES, NAMES = [100, 400], ['street', 'facade']


@pytest.mark.parametrize(
    ('ratio', 'alpha', 'expected'),
    [
        ('uniform', 0.5, (0.5, 0.5)),
        ('size', 0.5, (0.2, 0.8)),
        ('power', 0.5, (1 / 3, 2 / 3)),
        ('power', 0.0, (0.5, 0.5)),
        ([3, 1], 0.5, (0.75, 0.25)),
        (dict(facade=1, street=0), 0.5, (0.0, 1.0)),
    ],
)
def test_ratios(ratio: Any, alpha: float, expected: tuple[float, ...]) -> None:
    assert dataset_probabilities(ratio, SIZES, NAMES, alpha) == pytest.approx(expected)


@pytest.mark.parametrize(
    ('ratio', 'message'),
    [
        ('unifrom', r"unknown ratio 'unifrom'.*Did you mean: uniform"),
        ([1], r'1 weights for 2 datasets \(street, facade\)'),
        ([1, -1], 'not negative'),
        ([0, 0], 'above 0'),
        ([1, float('nan')], 'finite'),
        (dict(street=1), 'no weight for facade'),
        (dict(street=1, facades=1), r"unknown dataset 'facades'.*Did you mean: facade"),
    ],
)
def test_bad_ratios(ratio: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        dataset_probabilities(ratio, SIZES, NAMES)
