"""Results of the tasks: from what a model says of a batch to the data fields of its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from ...arguments import check_keys, options_of
from ...errors import OptionError
from ...label_space import LabelSpace, LabelSpaces
from ..postprocess.instance import instances
from ..postprocess.mixed import Duplicates, exclusive_groups, same_meaning
from ..postprocess.panoptic import PanopticThresholds, candidates, panoptic_segments
from ..postprocess.row_maps import RowMaps, Size
from ..postprocess.semantic import all_scores, class_map, class_scores
from ..structures import Prediction
from .tiles import STRIDE, Reader, Tiles, tiled_scores

TASKS = ('semantic', 'panoptic', 'instance')
_KEYS = ('tasks', 'panoptic', 'mixed', 'tiles', 'keep_probabilities')


@dataclass(frozen=True)
class MixedOptions:
    """What becomes of segments of several label spaces that say the same.

    Attributes:
        duplicate_iou: Segments of different groups that mean the same are one above this IoU; None keeps all.
        similarity: The cosine from which on text rows mean the same; None compares names only.

    Raises:
        OptionError: Where one is no IoU or no cosine.
    """

    duplicate_iou: float | None = 0.5
    similarity: float | None = None

    def __post_init__(self) -> None:
        for name, value, least in (('duplicate_iou', self.duplicate_iou, 0), ('similarity', self.similarity, -1)):
            if value is not None and not least <= value <= 1:
                raise OptionError(f'test_cfg.mixed.{name} must be between {least} and 1, or None, got {value}')


@dataclass(frozen=True)
class ResultOptions:
    """Which results are made, and how; see ``test_cfg`` of :class:`MultiSpaceSegmentor`.

    Attributes:
        tasks: Of :data:`TASKS`.
        keep_probabilities: Whether semantic results keep ``seg_logits``.
        thresholds: Of panoptic and mixed results, where a space has none of its own.
        per_space: Thresholds of single spaces.
        mixed: Of results in several label spaces.
        tiles: How semantic results cut large images; None reads them whole.
    """

    tasks: tuple[str, ...]
    keep_probabilities: bool
    thresholds: PanopticThresholds
    per_space: Mapping[str, PanopticThresholds]
    mixed: MixedOptions
    tiles: Tiles | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any], spaces: LabelSpaces) -> ResultOptions:
        """Reads ``test_cfg``.

        Raises:
            LabelSpaceError: Where thresholds name an unknown label space.
            OptionError: On an unknown key or task, a threshold that is no fraction, or tiles that do not go with the
                tasks.
        """
        _check_mode(config)
        check_keys(config, (*_KEYS, 'mode'), 'test_cfg')
        if isinstance(named := config.get('tasks', TASKS[:1]), str):
            raise OptionError(f'test_cfg.tasks = {named!r}: write a list, [{named!r}]')
        tasks = tuple(named)
        if not tasks or not set(tasks) <= set(TASKS):
            raise OptionError(f'test_cfg.tasks is {list(tasks)}; choose from {", ".join(TASKS)}')
        tiles = None if config.get('tiles') is None else options_of(Tiles, config['tiles'], 'test_cfg.tiles')
        if tiles is not None and tasks != ('semantic',):
            raise OptionError(
                f'test_cfg.tiles: panoptic and instance results are not yet made of tiles, and the tasks are '
                f"{', '.join(tasks)}; set test_cfg.tasks=['semantic'] or leave out the tiles"
            )
        panoptic = config.get('panoptic', {})
        common = {key: value for key, value in panoptic.items() if key != 'per_space'}
        special = {spaces.get(name).name: own for name, own in panoptic.get('per_space', {}).items()}
        return cls(
            tasks=tasks,
            keep_probabilities=bool(config.get('keep_probabilities')),
            thresholds=options_of(PanopticThresholds, common, 'test_cfg.panoptic'),
            per_space={
                name: options_of(PanopticThresholds, {**common, **own}, f'test_cfg.panoptic.per_space.{name}')
                for name, own in special.items()
            },
            mixed=options_of(MixedOptions, config.get('mixed', {}), 'test_cfg.mixed'),
            tiles=tiles,
        )

    def thresholds_of(self, space: LabelSpace) -> PanopticThresholds:
        """The thresholds of a label space."""
        return self.per_space.get(space.name, self.thresholds)


def _check_mode(config: Mapping[str, Any]) -> None:
    """Translates what mmseg's configs say of windows, which are cut by ``tiles`` here."""
    mode = config.get('mode', 'whole')
    if mode != 'whole' or 'crop_size' in config or 'stride' in config:
        size, stride = config.get('crop_size', (1024, 1024)), config.get('stride')
        overlap = 128 if stride is None else max(0, *(a - b for a, b in zip(size, stride)))
        raise OptionError(
            f"test_cfg: mode={mode!r}, crop_size and stride are mmseg's; large images are read in tiles here, so write "
            f'test_cfg=dict(tiles=dict(size={tuple(size)}, overlap={overlap})), in multiples of {STRIDE} pixels'
        )


class Predictor(Reader, Protocol):
    """What results can be made of: a segmentor, or a union of segmentors."""

    @property
    def options(self) -> ResultOptions:
        """Which results."""


def grouped(
    inputs: list[Tensor] | Tensor, samples: Sequence[SegDataSample]
) -> list[tuple[Tensor, list[SegDataSample]]]:
    """Pairs each tensor of equally padded images with its samples."""
    rest = iter(samples)
    images = [inputs] if isinstance(inputs, Tensor) else inputs
    return [(group, [next(rest) for _ in range(len(group))]) for group in images]


def predict_groups(
    model: Predictor, inputs: list[Tensor] | Tensor, data_samples: Sequence[SegDataSample]
) -> list[SegDataSample]:
    """Writes into each sample the results that ``model.options`` name; see :meth:`MultiSpaceSegmentor.predict`."""
    options = model.options
    done = []
    for images, samples in grouped(inputs, data_samples):
        size = (images.shape[-2], images.shape[-1])
        done += samples
        if options.tiles is not None and not options.tiles.suffice(size):
            for sample, image in zip(samples, images, strict=True):
                scores = tiled_scores(model, image, sample.metainfo, options.tiles)
                add_semantic(sample, scores.restore(sample.metainfo), options)
            continue
        found = model.predictions(images, [sample.metainfo for sample in samples])
        for sample, own in zip(samples, found, strict=True):
            add_results(sample, own, size, options)
    return sorted(done, key=lambda sample: sample.metainfo.get('batch_index', 0))


def add_results(sample: SegDataSample, own: Sequence[Prediction], size: Size, options: ResultOptions) -> None:
    """Writes the results of all tasks into a sample.

    Args:
        sample: Gets ``pred_sem_seg``, ``pred_segments``, ``pred_instances``. In several label spaces only segments are
            made, whatever the tasks.
        own: What the model says of it in each label space that it asks for.
        size: Height and width of the padded input.
        options: Which results.
    """
    meta, one = sample.metainfo, own[0]
    several = len(own) > 1
    if 'semantic' in options.tasks and not several:
        add_semantic(sample, class_scores(one, size).restore(meta), options)
    if 'panoptic' in options.tasks or several:
        spaces = [prediction.space for prediction in own]
        declared = meta.get('exclusive', ()) if several else ()
        thresholds = [options.thresholds_of(space) for space in spaces]
        if declared:  # a part of a label space does not fill the image
            thresholds = [replace(t, pixel=max(t.pixel, 0.5)) for t in thresholds]
        found = [candidates(p, size, meta, t.object) for p, t in zip(own, thresholds, strict=True)]
        group = exclusive_groups(spaces, declared).to(one.classes.device)
        duplicates = _duplicates(own, options.mixed) if several else None
        sample.pred_segments = panoptic_segments(found, spaces, thresholds, group, duplicates)
    if 'instance' in options.tasks and not several:
        sample.pred_instances = instances(one, size, meta)


def add_semantic(sample: SegDataSample, scores: RowMaps, options: ResultOptions) -> None:
    """Writes ``pred_sem_seg`` into a sample, and ``seg_logits`` where they are to be kept, from its class scores."""
    sample.pred_sem_seg = PixelData(data=class_map(scores)[None])
    if options.keep_probabilities:
        sample.seg_logits = PixelData(data=all_scores(scores))


def _duplicates(own: Sequence[Prediction], options: MixedOptions) -> Duplicates | None:
    """When segments of several label spaces are one; None where all are kept."""
    if options.duplicate_iou is None:
        return None
    rows = None
    if options.similarity is not None and own[0].rows is not None:
        rows = torch.cat([one.rows for one in own if one.rows is not None])
    same = same_meaning([one.space for one in own], rows, 1.0 if options.similarity is None else options.similarity)
    return Duplicates(same.to(own[0].classes.device), options.duplicate_iou)
