"""Objects of annotation files that look wrong: without a pixel, on one another, crowds that are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..datasets.coco_objects import AnnotatedObject, code_of
from ..label_space import LabelSpace
from .findings import Fault

SAME = 0.9
"""The IoU from which two objects are one that was drawn twice."""


def flaws_of_objects(objects: Sequence[AnnotatedObject], size: tuple[int, int], space: LabelSpace) -> list[Fault]:
    """What looks wrong about the objects of one image of (height, width)."""
    from pycocotools import mask as coco

    codes = [coco.merge([code_of(part, size) for part in one.parts]) for one in objects]
    faults = [
        Fault('empty-object', f'annotations[{one.place}], {space.classes[one.label]!r}, covers no pixel of the image')
        for one, area in zip(objects, coco.area(codes) if codes else ())
        if not area
    ]
    if len(codes) > 1:
        ious = np.triu(np.asarray(coco.iou(codes, codes, [0] * len(codes))), 1)
        for i, j in np.argwhere(ious >= SAME).tolist():
            where = [f'annotations[{objects[k].place}]' for k in (i, j)]
            names = [space.classes[objects[k].label] for k in (i, j)]
            what = repr(names[0]) if names[0] == names[1] else ' and '.join(map(repr, names))
            faults.append(
                Fault('object-twice', f'{where[0]} and {where[1]}, {what}, share {ious[i, j]:.0%} of their pixels')
            )
    for one in objects:
        if one.crowd and len(one.parts) == 1 and isinstance(one.parts[0], list) and len(one.parts[0]) == 1:
            name = space.classes[one.label]
            faults.append(Fault('crowds', f'annotations[{one.place}], {name!r}, is a crowd, but drawn as one polygon'))
    return faults


def flaws_of_segments(segments: Sequence[tuple[int, int, bool]], space: LabelSpace) -> list[Fault]:
    """What looks wrong about the segments of one image: id, label and crowd flag of each."""
    numbers = Counter(label for _, label, crowd in segments if not crowd)
    several = [(label, number) for label, number in numbers.items() if number > 1 and not space.things]
    return [Fault('no-things', f'{number} segments of {space.classes[label]!r}') for label, number in several] + [
        Fault('crowds', f'segment {segment}, {space.classes[label]!r}, is a crowd of stuff')
        for segment, label, crowd in segments
        if crowd and space.things and not space.is_thing[label]
    ]
