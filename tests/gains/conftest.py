"""What models found in drawn label maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from mmlmseg.gains.counts import CountedModel, ImageCounts
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.relations import NO_RELATIONS, Relations

CLASSES = ('sky', 'road', 'cow', 'nowhere')
IMAGES, PIXELS = 12, 400


def found(seed: int, right: float = 0.6, dataset: str = 'street', classes: Sequence[str] = CLASSES) -> ImageCounts:
    """Twelve images; the third class is in three of them, and found in these alone; the last one is nowhere."""
    places = np.random.default_rng(0)
    true = places.integers(0, 2, (IMAGES, PIXELS))
    true[:3, :100] = 2
    random = np.random.default_rng(seed)
    wrong = random.integers(0, 1 + true.max(1, keepdims=True), true.shape)
    predicted = np.where(random.random(true.shape) < right, true, wrong)
    areas = [
        [[int(((p == k) & (t == k)).sum()), int((p == k).sum()), int((t == k).sum())] for k in range(len(classes))]
        for p, t in zip(predicted, true, strict=True)
    ]
    return ImageCounts(dataset, dataset, tuple(classes), tuple(f'{i}.png' for i in range(IMAGES)), torch.tensor(areas))


@pytest.fixture
def counts() -> Callable[..., ImageCounts]:
    """Makes the counts of a dataset; models of one truth differ in their seed and in how many pixels are right."""
    return found


@pytest.fixture
def counted() -> Callable[..., CountedModel]:
    """Makes a model that was trained on some datasets, and counted on these, or on others."""

    def make(
        seed: int,
        right: float = 0.6,
        datasets: Sequence[str] = ('street',),
        spaces: Sequence[LabelSpace] = (),
        relations: Relations = NO_RELATIONS,
        rows: torch.Tensor | None = None,
        architecture: str = 'ours',
    ) -> CountedModel:
        known = LabelSpaces([*spaces] or [LabelSpace.create(name, CLASSES) for name in datasets])
        own = tuple(found(seed + 100 * i, right, name) for i, name in enumerate(datasets))
        return CountedModel(f'model {seed}', known, relations, architecture, rows, own)

    return make
