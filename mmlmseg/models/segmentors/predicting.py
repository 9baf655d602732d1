"""From a batch to samples with results: what a segmentor and a union of segmentors share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mmseg.structures import SegDataSample
from torch import Tensor

from .results import Prediction, ResultOptions, add_mixed, add_results

Group = tuple[Tensor, list[SegDataSample]]


class Predictor(Protocol):
    """What results can be made of."""

    @property
    def options(self) -> ResultOptions:
        """Which results."""

    def predictions(self, images: Tensor, metas: Sequence[dict[str, Any]]) -> list[list[Prediction]]:
        """What is said of each image of a group in each label space that its metainfo asks for."""

    def check_things(self, meta: dict[str, Any]) -> None:
        """Makes sure that the dataset of a sample has the things of the model."""


def grouped(inputs: list[Tensor] | Tensor, samples: Sequence[SegDataSample]) -> list[Group]:
    """Pairs each tensor of equally padded images with its samples."""
    rest = iter(samples)
    images = [inputs] if isinstance(inputs, Tensor) else inputs
    return [(group, [next(rest) for _ in range(len(group))]) for group in images]


def predict_groups(
    model: Predictor, inputs: list[Tensor] | Tensor, data_samples: Sequence[SegDataSample]
) -> list[SegDataSample]:
    """Writes into each sample the results that ``model.options`` name.

    Args:
        model: Is asked group by group.
        inputs: ``[B_g, 3, H_g, W_g]`` for each group g.
        data_samples: In the order of the groups.

    Returns:
        The samples in the order they came in, see :meth:`MultiSpaceSegmentor.predict`.
    """
    options = model.options
    done = []
    for images, samples in grouped(inputs, data_samples):
        size = (images.shape[-2], images.shape[-1])
        found = model.predictions(images, [sample.metainfo for sample in samples])
        for sample, own in zip(samples, found, strict=True):
            if 'label_spaces' in sample.metainfo:
                add_mixed(sample, own, size, options)
                continue
            if options.tasks != ('semantic',):
                model.check_things(sample.metainfo)
            add_results(sample, own[0], size, options)
        done += samples
    return sorted(done, key=lambda sample: sample.metainfo.get('batch_index', 0))
