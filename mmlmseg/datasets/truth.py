"""The truth of an image: from the pixels of annotation files to segments, numbered as model and metrics read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import DataError
from ..label_space import LabelSpace
from ..segments import BACKGROUND, IGNORE_INDEX, VOID, ignore_index_of

Numbered = tuple[np.ndarray, list[int], list[bool]]
"""Segments of one label space, numbered from 1 without a gap, a stuff class as one: the segment of each pixel, int32
[H, W], 0 is void; and of each segment its class and whether it is a crowd."""


def count_values(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values of a map [H, W] in ascending order [U], and how many pixels have each [U].

    As ``np.unique`` counts them, but by runs (:func:`distinct_values`): of 8 bits in a fifteenth of the time.
    """
    if not values.size:
        return np.unique(values, return_counts=True)
    flat = values.ravel()
    ends, lengths = _runs(flat)
    if values.dtype != np.uint8:
        distinct, places = np.unique(flat[ends], return_inverse=True)
        return distinct, np.bincount(places, lengths).astype(np.int64)
    counts = np.bincount(flat[ends], lengths).astype(np.int64)
    present = np.flatnonzero(counts)
    return present, counts[present]


def distinct_values(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values of a map [H, W] in ascending order [U], and the place of each pixel's value among them [H, W].

    As ``np.unique`` finds them, but by runs: neighbours are mostly equal, and sorting costs most.
    """
    flat = values.ravel()
    ends, lengths = _runs(flat)
    distinct, places = np.unique(flat[ends], return_inverse=True)
    return distinct, np.repeat(places, lengths).reshape(values.shape)


def translated(values: np.ndarray, table: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A map [H, W] whose values went through a table, which is asked for the distinct ones [U] only; by runs."""
    flat = values.ravel()
    if not flat.size:
        return table(flat).reshape(values.shape)
    ends, lengths = _runs(flat)
    distinct, places = np.unique(flat[ends], return_inverse=True)
    return np.repeat(table(distinct)[places], lengths).reshape(values.shape)


def label_array(labels: Sequence[int], space: LabelSpace) -> np.ndarray:
    """Labels of a space in the type of its label maps: uint8, or uint16 for more than 255 classes."""
    return np.array(labels, np.uint8 if ignore_index_of(space.num_classes) == IGNORE_INDEX else np.uint16)


def _runs(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last place of each run of equal values in [P], P > 0, and the length of each."""
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]), len(flat) - 1)
    return ends, np.diff(ends, prepend=-1)


def segments_of_ids(
    ids: np.ndarray, described: Sequence[tuple[int, int, bool]], space: LabelSpace
) -> tuple[np.ndarray, Numbered]:
    """Reads a map of COCO's panoptic format; map and description must name the same segments.

    Args:
        ids: As written in the PNG, int [H, W]; 0 is void.
        described: Id, class and crowd flag of each segment.
        space: The label space of the classes.

    Returns:
        The class of each pixel [H, W], the ignored one where void; and the segments, in the order of ``described``.
    """
    present, places = distinct_values(ids)
    row = {VOID: 0, **{segment: i for i, (segment, _, _) in enumerate(described, 1)}}
    unknown = [segment for segment in present.tolist() if segment not in row]
    absent = sorted(row.keys() - {VOID, *present.tolist()})
    if unknown or absent:
        faults = [(unknown, 'holds segment', 'the annotation lacks'), (absent, 'lacks segment', 'the annotation names')]
        raise DataError(
            '; '.join(f'the PNG {verb} {_shortened(some)}, which {rest}' for some, verb, rest in faults if some)
            + '; are PNG and annotation file of one split and release?'
        )
    rows = np.array([row[segment] for segment in present.tolist()])[places]  # [H, W], 0 is void
    labels = [label for _, label, _ in described]
    classes = label_array([ignore_index_of(space.num_classes), *labels], space)[rows]
    return classes, _number(rows, labels, [crowd for _, _, crowd in described], space)


def segments_of_labels(classes: np.ndarray, instances: np.ndarray | None, space: LabelSpace) -> Numbered:
    """Reads a label map with the map of its instances.

    Pixels of a stuff class are one segment, whatever their instance; of a thing, those outside every instance are void.

    Args:
        classes: [H, W] within the space, the ignored one where void.
        instances: Segment ids, int [H, W], 0 outside every instance; None for a space without things. In the order of
            these ids the segments come out.
        space: The label space.
    """
    if instances is None:
        if space.things:
            raise DataError(
                f'there is no instances/ folder to tell the things of {space.name!r} apart ({_shortened(space.things)})'
            )
        instances = np.zeros(classes.shape, np.int32)
    if instances.shape != classes.shape:
        raise DataError(f'instances {_size(instances)} and labels {_size(classes)} differ in size (height x width)')
    void = ignore_index_of(space.num_classes)
    pairs, places = distinct_values(
        instances.astype(np.int32 if void == IGNORE_INDEX else np.int64) * (void + 1) + classes
    )
    rows: list[int] = []
    labels: list[int] = []
    class_of: dict[int, int] = {}
    for instance, label in zip(*(part.tolist() for part in np.divmod(pairs, void + 1)), strict=True):
        if label == void or (instance == 0 and space.is_thing[label]):
            rows.append(0)
            continue
        if instance and class_of.setdefault(instance, label) != label:
            first, second = space.classes[class_of[instance]], space.classes[label]
            raise DataError(f'segment {instance} lies on two classes, {first!r} and {second!r}; give each its own id')
        labels.append(label)
        rows.append(len(labels))
    return _number(np.array(rows)[places], labels, [False] * len(labels), space)


def segments_of_masks(
    masks: Sequence[np.ndarray],
    labels: Sequence[int],
    crowd: Sequence[bool],
    size: tuple[int, int],
    space: LabelSpace,
    order: Sequence[int],
    rest: int = BACKGROUND,
) -> tuple[np.ndarray, Numbered, list[np.ndarray]]:
    """Reads objects that may overlap.

    Args:
        masks: bool [H, W] each.
        labels: Their classes.
        crowd: Whether each is a group of objects.
        size: (H, W).
        space: The label space of the classes.
        order: The places of all masks, from the top.
        rest: What is outside of all objects: the class that is there, :data:`BACKGROUND`, or the ignored id.

    Returns:
        The class of each pixel [H, W], the ignored one where there is none; the segments on top, in the order of
        ``masks``, the rest behind them; and, as far as they overlap, the segment below, int32 [H, W], the
        one below that, ..., 0 where there is none.
    """
    layers: list[np.ndarray] = [np.zeros(size, np.int32, order='F')]  # in memory as pycocotools has masks
    for i in order:
        box = _box(masks[i])
        left = masks[i][box]
        for layer in layers:
            free = left & (layer[box] == 0)
            np.copyto(layer[box], i + 1, where=free)
            left = left & ~free
            if not left.any():
                break
        else:
            layers.append(np.zeros(size, np.int32, order='F'))
            np.copyto(layers[-1][box], i + 1, where=left)
    outside, void = layers[0] == 0, ignore_index_of(space.num_classes)
    if rest not in (BACKGROUND, void):
        layers[0][outside] = len(masks) + 1
        labels, crowd = [*labels, rest], [*crowd, False]
    rows = np.stack(layers)  # [D, H, W]
    ids, own_labels, own_crowd = _number(rows, labels, crowd, space)
    classes = label_array([void, *labels], space)[rows[0]]
    top = np.where(outside, np.int32(BACKGROUND), ids[0]) if rest == BACKGROUND else ids[0]
    return classes, (top, own_labels, own_crowd), list(ids[1:])


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns that hold a mask [H, W]."""
    columns = np.flatnonzero(mask.any(0))
    first, last = (columns[0], columns[-1] + 1) if len(columns) else (0, 0)
    rows = np.flatnonzero(mask[:, first:last].any(1))
    return slice(rows[0] if len(rows) else 0, rows[-1] + 1 if len(rows) else 0), slice(first, last)


def follow_padding(ids: np.ndarray, classes: np.ndarray, void: int = IGNORE_INDEX) -> np.ndarray:
    """Pads segments [h, w] to the size of their classes [H, W].

    ``Pad`` works at the right and the bottom, and it knows labels only: there classes are ``void``, segments 0.
    """
    padding = [have - want for have, want in zip(classes.shape, ids.shape, strict=True)]
    added = np.ones(classes.shape, bool)
    added[: ids.shape[0], : ids.shape[1]] = False
    if min(padding) < 0 or (classes[added] != void).any():
        raise DataError(
            f'labels {_size(classes)} and segments {_size(ids)} differ in size (height x width), since a transform '
            f'knows labels only: put Pad right before packing, with pad_val=dict(seg={void}), and leave CenterCrop out'
        )
    return np.pad(ids, [(0, rows_or_columns) for rows_or_columns in padding])


def check_aligned(ids: np.ndarray, labels: Sequence[int], classes: np.ndarray, void: int = IGNORE_INDEX) -> None:
    """Makes sure that every segment lies on pixels of its class: ids and classes are [H, W], labels of the segments."""
    count = len(labels)
    wanted = np.array([void, *labels])[np.minimum(ids, count)]  # [H, W]
    wrong = (ids > count) | ((wanted != classes) & (ids > 0))
    if wrong.any():
        y, x = (int(axis[0]) for axis in wrong.nonzero())
        segment = int(ids[y, x])
        meant = f'is of class {labels[segment - 1]}' if segment <= count else f'is none of {count}'
        raise DataError(
            f'at row {y}, column {x}, segment {segment} {meant}, but the label is {int(classes[y, x])}: a transform '
            'treated labels and segments differently (RandomFlip with swap_seg_labels, RandomMosaic); leave it out'
        )


def _number(rows: np.ndarray, labels: Sequence[int], crowd: Sequence[bool], space: LabelSpace) -> Numbered:
    """Numbers the rows of a table of segments in their order, those of a stuff class as one.

    ``rows`` [H, W] is the row of each pixel from 1 on, 0 where void; ``labels`` and ``crowd`` are its columns.
    """
    number: dict[tuple[int, ...], int] = {}
    keys = [(i,) if space.is_thing[label] else (label, crowd[i]) for i, label in enumerate(labels)]
    numbers = [number.setdefault(key, len(number) + 1) for key in keys]
    first = [numbers.index(n) for n in range(1, len(number) + 1)]
    ids = np.array([VOID, *numbers], np.int32).take(rows)
    return ids, [labels[i] for i in first], [crowd[i] for i in first]


def _shortened(items: Sequence[object]) -> str:
    return ', '.join(map(str, items[:5])) + (f' and {len(items) - 5} more' if len(items) > 5 else '')


def _size(values: np.ndarray) -> str:
    return 'x'.join(map(str, values.shape))
