"""The panels that show the labels of a sample, its truth or a prediction: masks or segments where it has them, else
classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import mmcv
import numpy as np
from mmengine.structures import InstanceData
from mmseg.structures import SegDataSample
from numpy.typing import NDArray

from ..label_space import LabelSpace
from .drawing import Colour, Panel, Picture, class_shares, legend_entries, overlay, overlay_segments, percentage

TITLES = {'gt': 'truth', 'pred': 'prediction'}
MIN_SCORE = 0.3  # the score from which an instance is drawn: a model finds one a query, most of them unsure


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
            ``labels``, the class of each segment, in its metainfo. Or with ``pred_instances``, ``masks`` [n, h, w],
            ``labels`` and ``scores``, of which those below 0.3 are left out. All are scaled to the image.
        source: ``gt`` or ``pred``.
        image: RGB, uint8 [H, W, 3].
        classes: Name of each class.
        palette: RGB colour of each class.
        alpha: Strength of the colours, 0 to 1.

    Returns:
        The panel; None where the sample has no such labels.
    """
    title = TITLES[source]
    if f'{source}_panoptic_seg' in sample:
        data = sample.get(f'{source}_panoptic_seg')
        segments = _scaled(data.data[0].cpu().numpy(), image)
        return segment_panel(title, image, segments, data.labels, classes, palette, alpha)
    if f'{source}_instances' in sample:
        found = sample.get(f'{source}_instances')
        described = zip(found.labels.tolist(), found.scores.tolist(), strict=True)
        sure = [(i, label) for i, (label, score) in enumerate(described) if score >= MIN_SCORE]
        segments, labels = _on_top(found, sure, image)
        return segment_panel(title, image, segments, labels, classes, palette, alpha)
    if f'{source}_sem_seg' in sample:
        seg = _scaled(sample.get(f'{source}_sem_seg').data[0].cpu().numpy(), image)
        return Panel(overlay(image, seg, palette, alpha), title, legend_entries(seg, classes, palette))
    return None


def mask_panels(
    found: InstanceData, image: Picture, spaces: Sequence[LabelSpace], title: str = '', alpha: float = 0.6
) -> list[Panel]:
    """Draws the masks of several label spaces, which may overlap, over their image: a panel for each space.

    Args:
        found: ``gt_masks`` or ``pred_masks`` of a sample: ``masks`` bool [n, h, w] and ``labels`` [n], indices into the
            classes of all spaces one after the other; of predictions also ``scores`` [n] and ``origins``, all classes
            that each mask stands for. They are scaled to the image.
        image: RGB, uint8 [H, W, 3].
        spaces: The label spaces, in the order of the labels.
        title: Put before the name of each space.
        alpha: Strength of the colours, 0 to 1.

    Returns:
        The panels, titled with the names of the spaces.
    """
    origins = found.get('origins', [(label,) for label in found.labels.tolist()])
    panels, first = [], 0
    for space in spaces:
        inside = range(first, first + space.num_classes)
        own = [(i, label - first) for i, labels in enumerate(origins) for label in labels if label in inside]
        segments, labels = _on_top(found, own, image)
        panels.append(
            segment_panel(f'{title} {space.name}'.strip(), image, segments, labels, space.classes, space.palette, alpha)
        )
        first += space.num_classes
    return panels


def segment_panel(
    title: str,
    image: Picture,
    segments: NDArray[np.integer],
    labels: Sequence[int],
    classes: Sequence[str],
    palette: Sequence[Colour],
    alpha: float = 0.6,
) -> Panel:
    """Draws a map of segments [H, W] (0 is void) over its image, with a legend of their classes."""
    drawn = overlay_segments(image, segments, labels, palette, alpha)
    return Panel(drawn, title, segment_entries(segments, labels, classes, palette))


def paint(masks: Iterable[NDArray[np.bool_]], size: tuple[int, int]) -> NDArray[np.int32]:
    """Masks [H, W] as a map of segments from 1 on (0 is void); where they overlap the last one is on top.

    Examples:
        >>> paint([np.array([[True, True, False]]), np.array([[False, True, False]])], (1, 3))
        array([[1, 2, 0]], dtype=int32)
    """
    segments = np.zeros(size, np.int32)
    for i, mask in enumerate(masks, 1):
        segments[mask] = i
    return segments


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


def _on_top(
    found: InstanceData, chosen: Sequence[tuple[int, int]], image: Picture
) -> tuple[NDArray[np.integer], list[int]]:
    """Masks, given by index and class, as a map of segments [H, W] with the best on top, and the class of each."""
    if 'scores' in found:
        scores = found.scores.tolist()
        chosen = sorted(chosen, key=lambda one: scores[one[0]])
    masks = found.masks[[i for i, _ in chosen]].cpu().numpy()
    return _scaled(paint(masks, masks.shape[1:]), image), [label for _, label in chosen]


def _scaled(values: NDArray[np.integer], image: Picture) -> NDArray[np.integer]:
    if values.shape != image.shape[:2]:  # the truth of a pipeline that resizes images only
        values = mmcv.imresize(values.astype(np.int32), image.shape[1::-1], interpolation='nearest')
    return np.asarray(values)
