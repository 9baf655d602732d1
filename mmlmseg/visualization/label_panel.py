"""Panels of the labels of a sample, its truth or a prediction: segments where it has them, else classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import mmcv
import numpy as np
from mmseg.structures import SegDataSample
from numpy.typing import NDArray
from torch import Tensor

from ..label_space import LabelSpace
from ..segments import EncodedMaskSet, Segments, class_map
from .drawing import Panel, Picture, legend_entries, overlay, overlay_segments

TITLES = {'gt': 'truth', 'pred': 'prediction'}
MIN_SCORE = 0.3  # the score from which an instance is drawn: a model finds one a query, most of them unsure


def label_panels(
    sample: SegDataSample,
    source: str,
    image: Picture,
    spaces: Sequence[LabelSpace],
    title: str = '',
    alpha: float = 0.6,
) -> list[Panel]:
    """Draws the labels of a sample over its image, with a legend of what they hold: a panel for each label space.

    Args:
        sample: With ``gt_segments`` or ``gt_sem_seg`` (or ``pred_...``), or with ``pred_instances``, of which those
            below :data:`MIN_SCORE` are left out. All are scaled to the image.
        source: ``gt`` or ``pred``.
        image: RGB, uint8 [H, W, 3].
        spaces: The label spaces of the sample.
        title: Of the panel; with several label spaces it stands before the name of each.
        alpha: Strength of the colours, 0 to 1.

    Returns:
        The panels; none where the sample has no such labels.
    """
    titles = [title] if len(spaces) == 1 else [f'{title} {space.name}'.strip() for space in spaces]
    segments: Segments | None = sample.get(f'{source}_segments')
    if segments is None and f'{source}_instances' in sample:
        segments = confident(sample.get(f'{source}_instances'), MIN_SCORE)
    if segments is not None:
        layers = [segments.layer(spaces, which) for which in range(len(spaces))]
        return [
            segment_panel(heading, image, _scaled(ids, image), labels, space, alpha)
            for heading, (ids, labels), space in zip(titles, layers, spaces, strict=True)
        ]
    if f'{source}_sem_seg' in sample:
        seg = _scaled(sample.get(f'{source}_sem_seg').data[0], image)
        return [class_panel(titles[0], image, seg, spaces[0], alpha)]
    return []


def confident(found: Segments, least: float) -> EncodedMaskSet:
    """The instances among those found whose score is at least ``least``."""
    encoded = found.encoded()
    return encoded.take([i for i, score in enumerate(encoded.scores.tolist()) if score >= least])


def class_panel(title: str, image: Picture, seg: NDArray[np.integer], space: LabelSpace, alpha: float) -> Panel:
    """Draws class ids [H, W] over their image, with a legend."""
    return Panel(overlay(image, seg, space.palette, alpha), title, legend_entries(seg, space))


def segment_panel(
    title: str, image: Picture, ids: NDArray[np.integer], labels: Sequence[int], space: LabelSpace, alpha: float
) -> Panel:
    """Draws a map of segments [H, W] (0 is void) with the class of each over their image, with a legend."""
    numbers = Counter(labels[segment - 1] for segment in np.unique(ids).tolist() if segment)
    entries = legend_entries(class_map(ids, labels, void=space.num_classes), space, numbers)
    return Panel(overlay_segments(image, ids, labels, space.palette, alpha), title, entries)


def _scaled(values: Tensor, image: Picture) -> NDArray[np.integer]:
    ids = values.cpu().numpy()  # [H, W]
    if ids.shape != image.shape[:2]:  # the truth of a pipeline that resizes images only
        ids = mmcv.imresize(ids.astype(np.int32), image.shape[1::-1], interpolation='nearest')
    return np.asarray(ids)
