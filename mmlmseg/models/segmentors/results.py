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
from ..postprocess.lazy_maps import LazyMaps
from ..postprocess.mixed import Duplicates, exclusive_groups, same_meaning
from ..postprocess.panoptic import PanopticThresholds, candidates, panoptic_segments
from ..postprocess.semantic import all_scores, class_map, class_scores
from ..postprocess.view import View
from ..structures import Prediction
from .tiled_image import Reader, TiledImage
from .tiled_instances import tiled_instances
from .tiled_segments import tiled_segments
from .tiles import STRIDE, Tiles

TASKS = ('semantic', 'panoptic', 'instance')
_KEYS = ('tasks', 'panoptic', 'mixed', 'instance', 'tiles', 'keep_probabilities')


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
class InstanceOptions:
    """Which instances there are.

    Attributes:
        max_per_image: The most of an image, or of a tile where it is read in tiles: the best ones. COCO counts 100.

    Raises:
        OptionError: Where it is no number from 1 on.
    """

    max_per_image: int = 100

    def __post_init__(self) -> None:
        if not isinstance(self.max_per_image, int) or self.max_per_image < 1:
            raise OptionError(
                f'test_cfg.instance.max_per_image must be an integer from 1 on, got {self.max_per_image!r}'
            )


@dataclass(frozen=True)
class ResultOptions:
    """Which results are made, and how; see ``test_cfg`` of :class:`MultiSpaceSegmentor`.

    Attributes:
        tasks: Of :data:`TASKS`.
        keep_probabilities: Whether semantic results keep ``seg_logits``.
        thresholds: Of panoptic and mixed results, where a space has none of its own.
        per_space: Thresholds of single spaces.
        mixed: Of results in several label spaces.
        instance: Of instances.
        tiles: How large images are cut; None reads them whole.
    """

    tasks: tuple[str, ...]
    keep_probabilities: bool
    thresholds: PanopticThresholds
    per_space: Mapping[str, PanopticThresholds]
    mixed: MixedOptions
    instance: InstanceOptions = InstanceOptions()
    tiles: Tiles | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any], spaces: LabelSpaces) -> ResultOptions:
        """Reads ``test_cfg``.

        Raises:
            LabelSpaceError: Where thresholds name an unknown label space.
            OptionError: On an unknown key or task, or a threshold that is no fraction.
        """
        _check_mode(config)
        check_keys(config, (*_KEYS, 'mode'), 'test_cfg')
        if isinstance(named := config.get('tasks', TASKS[:1]), str):
            raise OptionError(f'test_cfg.tasks = {named!r}: write a list, [{named!r}]')
        tasks = tuple(named)
        if not tasks or not set(tasks) <= set(TASKS):
            raise OptionError(f'test_cfg.tasks is {list(tasks)}; choose from {", ".join(TASKS)}')
        tiles = None if config.get('tiles') is None else options_of(Tiles, config['tiles'], 'test_cfg.tiles')
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
            instance=options_of(InstanceOptions, config.get('instance', {}), 'test_cfg.instance'),
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
                add_tiled_results(sample, TiledImage(model, image, sample.metainfo, options.tiles), options)
            continue
        found = model.predictions(images, [sample.metainfo for sample in samples])
        for sample, own in zip(samples, found, strict=True):
            add_results(sample, own, View(size, sample.metainfo), options)
    return sorted(done, key=lambda sample: sample.metainfo.get('batch_index', 0))


def add_results(sample: SegDataSample, own: Sequence[Prediction], view: View, options: ResultOptions) -> None:
    """Writes the results of all tasks into a sample.

    Args:
        sample: Gets ``pred_sem_seg``, ``pred_segments``, ``pred_instances``. In several label spaces only segments are
            made, whatever the tasks.
        own: What the model says of it in each label space that it asks for.
        view: What the model was shown.
        options: Which results.
    """
    several = len(own) > 1
    if 'semantic' in options.tasks and not several:
        add_semantic(sample, class_scores(own[0], view.size).restore(sample.metainfo), options)
    if 'panoptic' in options.tasks or several:
        spaces, thresholds, group, duplicates = _question(own, sample.metainfo, options)
        found = [candidates(p, view, t.object) for p, t in zip(own, thresholds, strict=True)]
        sample.pred_segments = panoptic_segments(found, spaces, thresholds, group, duplicates)
    if 'instance' in options.tasks and not several:
        sample.pred_instances = instances(own[0], view, options.instance.max_per_image)


def add_tiled_results(sample: SegDataSample, image: TiledImage, options: ResultOptions) -> None:
    """Writes the results of all tasks into a sample whose image is read in tiles, for each task anew."""
    own = image.row(0)[0]  # asked for the same as all
    several = len(own) > 1
    if 'semantic' in options.tasks and not several:
        add_semantic(sample, image.class_scores().restore(sample.metainfo), options)
    if 'panoptic' in options.tasks or several:
        sample.pred_segments = tiled_segments(image, *_question(own, sample.metainfo, options))
    if 'instance' in options.tasks and not several:
        sample.pred_instances = tiled_instances(image, options.instance.max_per_image)


def _question(
    own: Sequence[Prediction], meta: Mapping[str, Any], options: ResultOptions
) -> tuple[list[LabelSpace], list[PanopticThresholds], Tensor, Duplicates | None]:
    """Label spaces, their thresholds, the exclusive group of each class, and which segments are one."""
    several = len(own) > 1
    spaces = [prediction.space for prediction in own]
    declared = meta.get('exclusive', ()) if several else ()
    thresholds = [options.thresholds_of(space) for space in spaces]
    if declared:  # a part of a label space does not fill the image
        thresholds = [replace(t, pixel=max(t.pixel, 0.5)) for t in thresholds]
    group = exclusive_groups(spaces, declared).to(own[0].classes.device)
    return spaces, thresholds, group, _duplicates(own, options.mixed) if several else None


def add_semantic(sample: SegDataSample, scores: LazyMaps, options: ResultOptions) -> None:
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
