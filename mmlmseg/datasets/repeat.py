"""Repeat factors: images with rare classes are drawn more often (Gupta et al., LVIS, CVPR 2019, section 4.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import OptionError, did_you_mean
from .presence import Presence

Repeat = float | Mapping[str, float]


def repeat_thresholds(repeat: Repeat | None, names: Sequence[str]) -> list[float]:
    """Turns ``repeat``, as a config writes it, into a threshold for each dataset; 0 where nothing is repeated.

    Args:
        repeat: One threshold for all, thresholds by name (the other datasets are not repeated), or None.
        names: Of the datasets.

    Raises:
        OptionError: On an unknown dataset, and on a threshold that is no share of the images.

    Example:
        >>> repeat_thresholds(dict(lvis=0.001), ['coco', 'lvis'])
        [0.0, 0.001]
    """
    if repeat is None:
        return [0.0] * len(names)
    by_name = repeat if isinstance(repeat, Mapping) else dict.fromkeys(names, repeat)
    for name, threshold in by_name.items():
        if name not in names:
            raise OptionError(
                f'repeat names the unknown dataset {name!r}; known: {", ".join(names)}.{did_you_mean(str(name), names)}'
            )
        if not isinstance(threshold, (int, float)) or isinstance(threshold, bool) or not 0 <= threshold <= 1:
            raise OptionError(
                f'repeat = {threshold!r} for dataset {name!r}: give the share of the images, from 0 to 1, below which '
                'a class is rare, for all datasets or by name, such as 0.01'
            )
    return [float(by_name.get(name, 0.0)) for name in names]


def factors_of_classes(presence: Presence, threshold: float) -> np.ndarray:
    """``max(1, sqrt(threshold / f))`` of each class [K], f being the share of the images that hold it; of none, 1."""
    shares = presence.frequencies
    return np.sqrt(np.maximum(1.0, threshold / np.where(shares > 0, shares, 1.0)))


def repeat_factors(presence: Presence, threshold: float) -> np.ndarray:
    """How many times as often each image is drawn: as its rarest class, once if it holds none.

    Returns:
        Factors [n] from 1 on, one an image.
    """
    of_classes = factors_of_classes(presence, threshold)
    return np.array([max((of_classes[label] for label in image), default=1.0) for image in presence.images])
