"""How often each dataset is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...errors import DataError, did_you_mean

Ratio = str | Sequence[float] | Mapping[str, float]


def dataset_probabilities(
    ratio: Ratio, sizes: Sequence[int], names: Sequence[str], alpha: float = 0.5
) -> tuple[float, ...]:
    """Turns a ratio, as a config writes it, into one probability per dataset.

    Args:
        ratio: ``'uniform'``; ``'size'`` (every image equally often); ``'power'`` (size to the power of ``alpha``, in
            between); or a weight per dataset, as a list in their order or by name.
        sizes: Samples per dataset.
        names: Names of the datasets.
        alpha: The exponent of ``'power'``.

    Returns:
        Probabilities that sum to 1.

    Raises:
        DataError: On an unknown word or name, a missing or unusable weight.

    Example:
        >>> dataset_probabilities('uniform', [10, 30], ['a', 'b']), dataset_probabilities('size', [10, 30], ['a', 'b'])
        ((0.5, 0.5), (0.25, 0.75))
    """
    exponents = {'uniform': 0.0, 'size': 1.0, 'power': alpha}
    if isinstance(ratio, str):
        if ratio not in exponents:
            raise DataError(
                f'unknown ratio {ratio!r}; write uniform, size, power or a weight per dataset'
                f'.{did_you_mean(ratio, exponents)}'
            )
        weights = [float(size) ** exponents[ratio] for size in sizes]
    elif isinstance(ratio, Mapping):
        for name in ratio:
            if name not in names:
                known = ', '.join(names)
                raise DataError(f'ratio names the unknown dataset {name!r}; known: {known}.{did_you_mean(name, names)}')
        if missing := [name for name in names if name not in ratio]:
            raise DataError(f'ratio has no weight for {", ".join(missing)}; give every dataset one (0 leaves it out)')
        weights = [float(ratio[name]) for name in names]
    else:
        weights = [float(weight) for weight in ratio]
        if len(weights) != len(sizes):
            raise DataError(f'ratio has {len(weights)} weights for {len(sizes)} datasets ({", ".join(names)})')
    total = sum(weights)
    if not all(math.isfinite(w) and w >= 0 for w in weights) or total <= 0:
        raise DataError(f'ratio {weights}: weights must be finite and not negative, and one of them above 0')
    return tuple(weight / total for weight in weights)
