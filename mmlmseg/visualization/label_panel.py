"""The panel that shows the labels of a sample, its truth or a prediction: segments where it has them, else classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import mmcv
import numpy as np
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from numpy.typing import NDArray

from .drawing import Colour, Panel, Picture, class_shares, legend_entries, overlay, overlay_segments, percentage

TITLES = {'gt': 'truth', 'pred': 'prediction'}


def label_panel(
    sample: SegDataSample,
    source: str,
    image: Picture,
    classes: Sequence[str],
    palette: Sequence[Colour],
    alpha: float = 0.6,
) -> Panel | None:
    """Draws the labels of a sample over its image, with a legend of what they hold.

    Args:
        sample: With ``gt_panoptic_seg`` or ``gt_sem_seg`` (or ``pred_...``), maps [1, h, w]; the former has
            ``labels``, the class of each segment, in its metainfo. They are scaled to the image.
        source: ``gt`` or ``pred``.
        image: RGB, uint8 [H, W, 3].
        classes: Name of each class.
        palette: RGB colour of each class.
        alpha: Strength of the colours, 0 to 1.

    Returns:
        The panel; None where the sample has no such labels.
    """
    if f'{source}_panoptic_seg' in sample:
        data = sample.get(f'{source}_panoptic_seg')
        segments = _map_of(data, image)
        drawn = overlay_segments(image, segments, data.labels, palette, alpha)
        return Panel(drawn, TITLES[source], segment_entries(segments, data.labels, classes, palette))
    if f'{source}_sem_seg' in sample:
        seg = _map_of(sample.get(f'{source}_sem_seg'), image)
        return Panel(overlay(image, seg, palette, alpha), TITLES[source], legend_entries(seg, classes, palette))
    return None


def segment_entries(
    segment_map: NDArray[np.integer], labels: Sequence[int], classes: Sequence[str], palette: Sequence[Colour]
) -> list[tuple[str, Colour]]:
    """What a legend has to explain: the classes of a segment map with their number and share, largest first.

    Args:
        segment_map: Segment ids [H, W], 0 is void.
        labels: The class of segment 1, 2, ...
        classes: Name of each class.
        palette: RGB colour of each class.

    Returns:
        Entries for a :class:`Panel`.

    Examples:
        >>> segment_entries(np.array([[1, 2, 3, 3]]), [0, 0, 1], ['cow', 'grass'], [(9, 9, 9), (0, 255, 0)])
        [('cow (2) 50%', (9, 9, 9)), ('grass 50%', (0, 255, 0))]
    """
    numbers = Counter(labels[segment - 1] for segment in np.unique(segment_map).tolist() if segment)
    class_map = np.array([len(classes), *labels])[segment_map]  # [H, W], void beyond the classes
    return [
        (f'{classes[label]}{f" ({numbers[label]})" if numbers[label] > 1 else ""} {percentage(share)}', palette[label])
        for label, share in class_shares(class_map, len(classes))
    ]


def _map_of(data: PixelData, image: Picture) -> NDArray[np.integer]:
    values = data.data.squeeze(0).cpu().numpy()  # [h, w]
    if values.shape != image.shape[:2]:  # the truth of a pipeline that resizes images only
        values = mmcv.imresize(values.astype(np.int32), image.shape[1::-1], interpolation='nearest')
    return np.asarray(values)
