"""Results of the tasks, from the predictions for one sample to its data fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from ...label_space import LabelSpace, LabelSpaces
from ..postprocess import (
    Duplicates,
    PanopticThresholds,
    candidates,
    exclusive_groups,
    instances,
    mixed_segments,
    panoptic_segments,
    restore,
    same_meaning,
    semantic_probabilities,
)

TASKS = ('semantic', 'panoptic', 'instance')


class Prediction(NamedTuple):
    """What the final layer says of one sample, in the columns of its own label space.

    Attributes:
        classes: ``[N, K + 1]`` probabilities, see :func:`class_probabilities`.
        mask_logits: ``[N, h, w]``.
        space: The label space.
        rows: ``[K, C]`` text rows of its classes; None for a model without text.
    """

    classes: Tensor
    mask_logits: Tensor
    space: LabelSpace
    rows: Tensor | None

    @property
    def is_thing(self) -> Tensor:
        """``[K]`` bool."""
        return torch.tensor(self.space.is_thing, device=self.classes.device)


@dataclass(frozen=True)
class MixedOptions:
    """What becomes of segments of several label spaces that say the same.

    Attributes:
        duplicate_iou: Segments of different groups that mean the same are one above this IoU; None keeps all.
        similarity: The cosine from which on text rows mean the same; None compares names only.

    Raises:
        ValueError: Where one is no IoU or no cosine.
    """

    duplicate_iou: float | None = 0.5
    similarity: float | None = None

    def __post_init__(self) -> None:
        for name, value, least in (('duplicate_iou', self.duplicate_iou, 0), ('similarity', self.similarity, -1)):
            if value is not None and not least <= value <= 1:
                raise ValueError(f'test_cfg.mixed.{name} must be between {least} and 1, or None, got {value}')


@dataclass(frozen=True)
class ResultOptions:
    """Which results are made, and how; see ``test_cfg`` of :class:`MultiSpaceSegmentor`.

    Attributes:
        tasks: Of :data:`TASKS`.
        keep_probabilities: Whether semantic results keep ``seg_logits``.
        thresholds: Of panoptic and mixed results, where a space has none of its own.
        per_space: Thresholds of single spaces.
        mixed: Of results in several label spaces.
    """

    tasks: tuple[str, ...]
    keep_probabilities: bool
    thresholds: PanopticThresholds
    per_space: Mapping[str, PanopticThresholds]
    mixed: MixedOptions

    @classmethod
    def from_config(cls, config: Mapping[str, Any], spaces: LabelSpaces) -> ResultOptions:
        """Reads ``test_cfg``.

        Raises:
            LabelSpaceError: Where thresholds name an unknown label space.
            TypeError: On an unknown threshold or option.
            ValueError: On an unknown task, or a threshold that is no fraction.
        """
        tasks = tuple(config.get('tasks', ('semantic',)))
        if not tasks or not set(tasks) <= set(TASKS):
            raise ValueError(f'test_cfg.tasks is {list(tasks)}; choose from {", ".join(TASKS)}')
        panoptic = config.get('panoptic', {})
        common = {key: value for key, value in panoptic.items() if key != 'per_space'}
        special = {spaces.get(name).name: own for name, own in panoptic.get('per_space', {}).items()}
        return cls(
            tasks=tasks,
            keep_probabilities=bool(config.get('keep_probabilities')),
            thresholds=PanopticThresholds(**common),
            per_space={name: PanopticThresholds(**{**common, **own}) for name, own in special.items()},
            mixed=MixedOptions(**config.get('mixed', {})),
        )

    def thresholds_of(self, space: LabelSpace) -> PanopticThresholds:
        """The thresholds of a label space."""
        return self.per_space.get(space.name, self.thresholds)


def add_results(sample: SegDataSample, own: Prediction, size: tuple[int, int], options: ResultOptions) -> None:
    """Writes the results of all tasks in one label space into a sample.

    Args:
        sample: Gets ``pred_sem_seg``, ``pred_panoptic_seg``, ``pred_instances``.
        own: What the model says of it.
        size: Height and width of the padded input.
        options: Which results.
    """
    meta = sample.metainfo
    if 'semantic' in options.tasks:
        scores = semantic_probabilities(own.classes[None], own.mask_logits[None], size)[0]
        scores = restore(scores, meta)  # [K, H, W]
        sample.pred_sem_seg = PixelData(data=scores.argmax(dim=0, keepdim=True))
        if options.keep_probabilities:
            sample.seg_logits = PixelData(data=scores)
    if 'panoptic' in options.tasks:
        segments = panoptic_segments(*own[:2], own.is_thing, size, meta, options.thresholds_of(own.space))
        described = dict(labels=segments.labels.tolist(), scores=segments.scores.tolist())
        sample.pred_panoptic_seg = PixelData(data=segments.map[None], metainfo=described)
    if 'instance' in options.tasks:
        sample.pred_instances = InstanceData(**instances(*own[:2], own.is_thing, size, meta)._asdict())


def add_mixed(sample: SegDataSample, own: Sequence[Prediction], size: tuple[int, int], options: ResultOptions) -> None:
    """Writes the segments of a sample in several label spaces into it, as ``pred_masks``.

    Args:
        sample: Its metainfo may declare groups of spaces and classes as ``exclusive``, see :func:`exclusive_groups`.
            Then pixels of a mask probability below 0.5 go to none.
        own: What the model says of it in each space.
        size: Height and width of the padded input.
        options: Thresholds, and what becomes of duplicates.
    """
    spaces = [one.space for one in own]
    thresholds = [options.thresholds_of(space) for space in spaces]
    declared = sample.metainfo.get('exclusive', ())
    if declared:  # a part of a label space does not fill the image
        thresholds = [replace(one, pixel=max(one.pixel, 0.5)) for one in thresholds]
    group = exclusive_groups(spaces, declared).to(own[0].classes.device)
    duplicates = None
    mixed = options.mixed
    if mixed.duplicate_iou is not None:
        rows = None
        if mixed.similarity is not None and own[0].rows is not None:
            rows = torch.cat([one.rows for one in own if one.rows is not None])
        same = same_meaning(spaces, rows, 1.0 if mixed.similarity is None else mixed.similarity)
        duplicates = Duplicates(same.to(group.device), mixed.duplicate_iou)
    segments = mixed_segments(
        [
            candidates(*one[:2], size, sample.metainfo, threshold.object)
            for one, threshold in zip(own, thresholds, strict=True)
        ],
        [space.num_classes for space in spaces],
        torch.cat([one.is_thing for one in own]),
        group,
        thresholds,
        duplicates,
    )
    classes = [f'{space.name}:{name}' for space in spaces for name in space.classes]
    sample.pred_masks = InstanceData(metainfo=dict(classes=classes), **segments._asdict())
