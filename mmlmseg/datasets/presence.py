"""Which classes the images of each dataset hold, counted from the labels; no image is loaded."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from mmengine.dist import all_gather_object, get_dist_info
from mmengine.logging import print_log

from ..errors import USER_ERRORS, DataError, LabelSpaceError
from ..label_space import LabelSpace
from ..segments import BACKGROUND, ignore_index_of
from .checks import CheckLabels, ignored_by
from .steps import loads_labels, steps_of
from .truth import count_values

_LONG = 60.0  # seconds of counting, from which on a file is worth its while


@dataclass(frozen=True)
class Presence:
    """Which classes each image of a dataset holds, as a training sees them: crowds are none.

    Attributes:
        classes: Of the label space.
        images: The labels that each image holds, in ascending order.
    """

    classes: tuple[str, ...]
    images: tuple[tuple[int, ...], ...]

    @cached_property
    def counts(self) -> np.ndarray:
        """How many images hold each class, int [K]."""
        held = [label for image in self.images for label in image]
        return np.bincount(np.array(held, np.int64), minlength=len(self.classes))

    @property
    def frequencies(self) -> np.ndarray:
        """The share of the images that hold each class, [K]."""
        return self.counts / len(self.images)


class Counted(Protocol):
    """What is counted: a :class:`mmlmseg.MultiDataset`."""

    names: list[str]
    sizes: list[int]
    datasets: list[Any]
    spaces: list[tuple[LabelSpace, ...]]
    skip_damaged: int

    def __len__(self) -> int:
        """All samples."""

    @property
    def presence(self) -> list[Presence]:
        """What is counted of each dataset."""

    def naming_sample(self, which: int, inner: int) -> AbstractContextManager[None]:
        """Names a sample in its errors."""


def frequencies_by_space(dataset: Counted) -> dict[str, list[float]]:
    """The share of the images that hold each class, by label space, over all datasets of a space together."""
    joined: dict[str, Presence] = {}
    for own, presence in zip(dataset.spaces, dataset.presence, strict=True):
        before = joined[own[0].name].images if own[0].name in joined else ()
        joined[own[0].name] = Presence(presence.classes, before + presence.images)
    return {name: presence.frequencies.tolist() for name, presence in joined.items()}


def count_presence(dataset: Counted) -> list[Presence]:
    """Counts which classes the images of each dataset hold; each of several processes counts a share of the images.

    Labels are those that the dataset's own loading step gives. What later steps of the pipeline do to them, such as
    crops, does not count. A file described in an annotation file (COCO's formats) is not opened.

    Raises:
        DataError: Where labels cannot be used, or more than the ``skip_damaged`` of the dataset.
        LabelSpaceError: Where a dataset has several label spaces, in which nothing is trained.
    """
    start = time.perf_counter()
    print_log(f'counting which classes the {len(dataset)} images of {", ".join(dataset.names)} hold', 'current')
    rank, world_size = get_dist_info()
    own: Any
    try:
        own = [_count_share(dataset, which, rank, world_size) for which in range(len(dataset.names))]
    except USER_ERRORS as error:
        own = error  # nobody shall wait for this process
    shares = all_gather_object(own)
    for share in shares:
        if isinstance(share, Exception):
            raise share
    found = []
    for which, size in enumerate(dataset.sizes):
        images = tuple(shares[i % world_size][which][i // world_size] for i in range(size))
        found.append(Presence(dataset.spaces[which][0].classes, images))
    if (seconds := time.perf_counter() - start) > _LONG:
        print_log(
            f'counting took {seconds:.0f} s; tools/analysis/class_frequencies.py CONFIG --out FILE keeps what is found '
            'for MultiDataset(class_presence=FILE)',
            'current',
        )
    return found


def _count_share(dataset: Counted, which: int, rank: int, world_size: int) -> list[tuple[int, ...]]:
    """The labels of every W-th image of a dataset."""
    if len(dataset.spaces[which]) > 1:
        raise LabelSpaceError(
            f'dataset {dataset.names[which]!r} has {len(dataset.spaces[which])} label spaces, but is trained in one: '
            'list each of them as a dataset of its own'
        )
    damaged: list[DataError] = []

    def labels_of(place: int) -> tuple[int, ...]:
        try:
            with dataset.naming_sample(which, place):
                return _labels_held(*innermost_sample(dataset.datasets[which], place), dataset.spaces[which][0])
        except DataError as error:
            damaged.append(error)
            if len(damaged) > dataset.skip_damaged:
                raise
            print_log(f'not counted, a damaged sample: {error}', 'current', logging.WARNING)
            return ()

    with ThreadPoolExecutor() as pool:
        return list(pool.map(labels_of, range(rank, dataset.sizes[which], world_size)))


def innermost_sample(dataset: Any, place: int) -> tuple[Any, int]:
    """The dataset below mmengine's and mmseg's wrappers that a sample is of, and the place of the sample in it."""
    while hasattr(dataset, 'datasets') or hasattr(dataset, 'dataset'):
        inner = dataset._get_ori_dataset_idx(place) if hasattr(dataset, '_get_ori_dataset_idx') else place
        if hasattr(dataset, 'datasets'):
            which, place = inner
            dataset = dataset.datasets[which]
        else:
            dataset, place = dataset.dataset, inner
    return dataset, place


def _labels_held(dataset: Any, place: int, space: LabelSpace) -> tuple[int, ...]:
    info = dataset.get_data_info(place)
    if (described := labels_described(info)) is not None:
        return described
    loading = loading_step(dataset)
    if loading is None:
        raise DataError(
            'its pipeline has no step that is known to load labels, so its classes cannot be counted; load them with '
            'mmlmseg.LoadAnnotations or a step of your own that inherits from it'
        )
    loaded = loading.transform(info)
    if 'gt_segment_labels' in loaded:
        return _counted(zip(loaded['gt_segment_labels'][0], loaded['gt_segment_crowd'][0], strict=True))
    check = CheckLabels(space.num_classes, ignored_by(dataset))
    labels = check.transform(loaded)['gt_seg_map']
    return _counted((label, label == check.void) for label in count_values(labels)[0].tolist())


def labels_described(info: Mapping[str, Any]) -> tuple[int, ...] | None:
    """What an annotation file says that an image holds; None where its labels are pixels."""
    if 'segments' in info:
        return _counted((label, crowd) for _, label, crowd in info['segments'])
    if 'objects' in info:
        nothing = info['rest'] in (BACKGROUND, ignore_index_of(info['spaces'][0].num_classes))
        return _counted([*((one.label, one.crowd) for one in info['objects']), (info['rest'], nothing)])
    return None


def loading_step(dataset: Any) -> Any:
    """The step of a dataset's pipeline that loads labels; None where none is known to."""
    steps = steps_of(dataset.pipeline.transforms)
    return next((step for step in steps if loads_labels(type(step))), None)


def _counted(labels: Iterable[tuple[int, bool]]) -> tuple[int, ...]:
    """Of labels with whether they are void or a crowd, those that count, each once."""
    return tuple(sorted({label for label, uncounted in labels if not uncounted}))
