"""What results are called: ``mIoU``, of a single class ``IoU.tree``, and with their dataset ``camvid11/IoU.tree``."""

from __future__ import annotations

import re
from collections.abc import Sequence

CLASS_SCORES = ('IoU', 'PQ', 'PIQ', 'AP')
"""The scores that a metric gives of each class."""

_LONGEST = 60  # characters of a class: files are named after results
_UNSAFE = re.compile(r'[^\w.-]+')
_OF_A_CLASS = re.compile(rf'(?:^|/)(?:{"|".join(CLASS_SCORES)})\.[^/]+$')


def class_keys(score: str, classes: Sequence[str]) -> tuple[str, ...]:
    """The keys of the results of single classes, no two alike.

    They are made of letters, digits, ``.``, ``_`` and ``-``, so that checkpoints and the tags of TensorBoard can bear
    them. What is anything else in the name of a class becomes ``_``, the colon between label space and class ``.``;
    a class whose key another has already gets its id behind it.

    Args:
        score: One of :data:`CLASS_SCORES`.
        classes: The K classes of a dataset, as it writes them.

    Example:
        >>> class_keys('IoU', ['tree', 'traffic light', 'wall/fence', 'wall fence', 'street:car'])
        ('IoU.tree', 'IoU.traffic_light', 'IoU.wall_fence', 'IoU.wall_fence-3', 'IoU.street.car')
    """
    keys: dict[str, str] = {}  # by what a file system may take for the same
    for index, name in enumerate(classes):
        key = f'{score}.{_UNSAFE.sub("_", name.replace(":", "."))[:_LONGEST]}'
        while key.casefold() in keys:
            key += f'-{index}'
        keys[key.casefold()] = key
    return tuple(keys.values())


def is_class_key(key: str) -> bool:
    """Whether a result is that of a single class.

    Example:
        >>> [is_class_key(key) for key in ('IoU.tree', 'a/x/AP.street.car', 'v1.2/mIoU', 'mean/AP50')]
        [True, True, False, False]
    """
    return _OF_A_CLASS.search(key) is not None
